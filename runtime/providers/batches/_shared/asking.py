"""Asks what one line says, and makes the line of the output or error file of it.

https://platform.openai.com/docs/api-reference/batch/request-output
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from runtime.access import Caller
from runtime.apis.inference.counted import Usage
from runtime.context import RequestContext
from runtime.errors import StackError
from runtime.ids import new_id
from runtime.providers._background.asking import NobodyAnswers, Paces, foreseen, patiently
from runtime.providers._background.pacing import Pace
from runtime.providers.batches._shared.answering import Answering
from runtime.providers.batches._shared.endpoints import Endpoint
from runtime.providers.batches._shared.input_lines import Line, Malformed
from runtime.providers.batches._shared.tables import TOKENS
from runtime.sse import Json, encode, raw_members
from runtime.telemetry import conventions as names
from runtime.telemetry.pieces import piece
from runtime.telemetry.spans import Attribute

_MOST_TOKENS = 2**40
"""So that those of all lines together are a number that each database has."""


_usage = msgspec.json.Decoder(Usage).decode


class Asker:
    """The lines of one batch. user: whose it is. provider_data: what its creator sent for providers.
    told: of the batch, in the trace of each line.
    """

    def __init__(
        self,
        answering: Answering,
        endpoint: Endpoint,
        paces: Paces,
        *,
        told: Mapping[str, Attribute],
        user: Caller,
        provider_data: Mapping[str, Any],
    ) -> None:
        self._told = told
        self._answering = answering
        self._endpoint = endpoint
        self._paces = paces
        self._user = user
        self._provider_data = provider_data
        self._of_models: dict[str, Pace] = {}

    async def ask(self, line: Line) -> Json:
        """The columns of what became of a line, but for its batch. Asked again while its provider says that it is asked
        too much, and some times while that is down. Raises NobodyAnswers.
        """
        if (pace := self._of_models.get(line.model)) is None:
            pace = self._of_models[line.model] = await self._paces.of(line.model)
        context, answer = RequestContext(), self._answering.answer
        request_id = context.request_id

        async def ask() -> bytes:
            nonlocal context
            context = RequestContext(
                request_id=request_id, user=self._user, provider_data=self._provider_data, in_background=True
            )
            return await foreseen(answer(self._endpoint, line), context, "a line of a batch", number=line.number)

        try:
            with piece("line of a batch", {**self._told, names.LINE: line.number}, request_id=request_id):
                reply = await patiently(ask, pace)
        except NobodyAnswers:
            raise
        except StackError as error:
            return _refused(line, context, error)
        return _answered(line, context, reply)


def unasked(number: int, custom_id: str | None, code: str, message: str, param: str | None = None) -> Json:
    """The columns of a line that was not asked. code, message, param: why."""
    error = {"code": code, "message": message, "param": param, "line": number}
    return _columns(number, {"custom_id": custom_id, "response": None, "error": error}, is_error=True)


def malformed(line: Malformed) -> Json:
    """The columns of a line that cannot be asked."""
    return unasked(line.number, line.custom_id, line.code, line.message, line.param)


def _answered(line: Line, context: RequestContext, data: bytes) -> Json:
    # Line feeds between the values of a vendor's JSON would end the line.
    body = msgspec.Raw(data.replace(b"\n", b" ").replace(b"\r", b" "))
    said = {"custom_id": line.custom_id, "response": _response(200, context, body), "error": None}
    return _columns(line.number, said, is_error=False) | _tokens(data)


def _refused(line: Line, context: RequestContext, error: StackError) -> Json:
    response = _response(error.status, context, error.body())
    return _columns(line.number, {"custom_id": line.custom_id, "response": response, "error": None}, is_error=True)


def _response(status: int, context: RequestContext, body: object) -> Json:
    """warnings: what is said in `x-llama-warnings` where the request is not in a batch."""
    response: Json = {"status_code": status, "request_id": context.request_id, "body": body}
    return response | {"warnings": context.warnings} if context.warnings else response


def _columns(number: int, said: Json, *, is_error: bool) -> Json:
    data = encode({"id": new_id("batch_req_"), **said})
    counts = dict.fromkeys(TOKENS, 0)
    return {"number": number, "is_error": int(is_error), **counts, "size_bytes": len(data) + 1, "data": data}


def _tokens(data: bytes) -> Json:
    """The tokens that an answer counts; none where it does not, or counts what cannot be."""
    try:
        counts = _usage(raw_members(data)["usage"]).counted
    except (LookupError, ValueError):
        return {}
    return dict(zip(TOKENS, (count if 0 < (count or 0) < _MOST_TOKENS else 0 for count in counts), strict=True))
