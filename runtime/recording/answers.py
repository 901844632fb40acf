"""What a provider in this process answers, as recordings show it, and back.

{"reply": ...}      a whole JSON answer          {"events": [...]}  a stream of events (`streams.py`)
{"model": {...}}    a response model of the API  {"nothing": true}  nothing
{"error": {...}}    a refusal of the request: its kind, message, hint, param and code; of another server also whose that
                    is, `provider_id`, and what it answered, `upstream_status`
"""

from __future__ import annotations

import typing
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError

from runtime import errors
from runtime.errors import RequestError, UpstreamError
from runtime.recording.documents import Recording, RecordingError
from runtime.recording.pace import in_time
from runtime.recording.streams import event_bytes
from runtime.sse import EventStream, Frames, Json, Reply

_decode = msgspec.json.Decoder().decode


def shown(answer: Any) -> Json | None:
    """An answer that is no stream; None for one of a kind that is not recorded."""
    if answer is None:
        return {"nothing": True}
    if isinstance(answer, Reply):
        return {"reply": _decode(answer.data)}
    if isinstance(answer, BaseModel):
        return {"model": answer.model_dump(mode="json", exclude_unset=True)}
    return None


def shown_refusal(error: RequestError | UpstreamError) -> Json | None:
    """A refusal; None for one that may pass: also of another server that has not answered, which may do so the next
    time.
    """
    if isinstance(error, RequestError) and error.may_pass:
        return None
    facts: Json = {"kind": type(error).__name__, "message": error.message, "hint": error.hint, "param": error.param,
             "code": error.code}  # fmt: skip
    if isinstance(error, UpstreamError):
        if error.upstream_status is None:
            return None
        facts |= {"provider_id": error.provider_id, "upstream_status": error.upstream_status}
    return {"error": {name: value for name, value in facts.items() if value is not None}}


def restored(recording: Recording, protocol: type, method: str, *, is_timed: bool) -> Any:
    """What `method` answered. Raises the refusal that was recorded, a RequestError or an UpstreamError, and
    RecordingError for what is no answer of it.
    """
    answer = recording.answer
    if "reply" in answer:
        return Reply.of(answer["reply"])
    if "events" in answer:
        return _stream(answer, is_timed)
    if "nothing" in answer:
        return None
    if "error" in answer:
        raise _refusal(answer["error"])
    model = _model_of(protocol, method)
    if model is not None and "model" in answer:
        with suppress(ValidationError):
            return model.model_validate(answer["model"])
    raise no_answer(recording, method)


def no_answer(recording: Recording, method: str) -> RecordingError:
    """What is raised for a recording whose answer is none of `method`."""
    return RecordingError(f"`{recording.path}` has no answer of `{method}`", hint="restore it, or record it again")


def _stream(answer: Json, is_timed: bool) -> EventStream:
    async def frames() -> AsyncGenerator[Frames, None]:
        async for event in in_time(answer, is_timed=is_timed):
            yield Frames(event_bytes(event))

    return EventStream(frames(), _nothing_to_close)


async def _nothing_to_close() -> None:
    """Nothing is held."""


def _refusal(facts: Json) -> RequestError | UpstreamError:
    kind = getattr(errors, str(facts.get("kind")), None)
    message = str(facts.get("message", ""))
    how = {name: facts.get(name) for name in ("hint", "param", "code")}
    if isinstance(kind, type) and issubclass(kind, UpstreamError):
        whose, status = str(facts.get("provider_id", "")), facts.get("upstream_status")
        return kind(message, provider_id=whose, upstream_status=status, **how)
    made = kind if isinstance(kind, type) and issubclass(kind, RequestError) else RequestError
    return made(message, **how)


def _model_of(protocol: type, method: str) -> type[BaseModel] | None:
    declared = getattr(protocol, method, None)
    returned = typing.get_type_hints(declared).get("return") if declared is not None else None
    kinds = typing.get_args(returned) or (returned,)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
