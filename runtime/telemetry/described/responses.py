"""Responses: the model and the conversation, what became of it, and the tokens of all the times that the model was
asked, which its calls below have each for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from runtime.apis.inference.counted import Usage
from runtime.sse import Frames, Reply, payloads
from runtime.telemetry import conventions as names
from runtime.telemetry.described.inference import note_usage
from runtime.telemetry.operation import INVOKE_AGENT, Described, Fields, bounded
from runtime.telemetry.spans import Attribute, Span

_OF_REQUEST = {
    "temperature": names.TEMPERATURE,
    "top_p": names.TOP_P,
    "max_output_tokens": names.MAX_TOKENS,
    "frequency_penalty": names.FREQUENCY_PENALTY,
    "presence_penalty": names.PRESENCE_PENALTY,
}


_WEB_SEARCH = "web_search"


class _Named(msgspec.Struct):
    id: str = ""


class _Failure(msgspec.Struct):
    code: str | None = None


class _Response(msgspec.Struct):
    """What is looked for in a response."""

    id: str = ""
    status: str = ""
    conversation: _Named | None = None
    usage: Usage | None = None
    error: _Failure | None = None


class _Event(msgspec.Struct):
    response: _Response | None = None


_response = msgspec.json.Decoder(_Response).decode
_event = msgspec.json.Decoder(_Event).decode


class Answered(Described):
    """A response that is made. `gen_ai.response.model` is not told of it: it says the name in the request."""

    def facts(self, provider_type: str) -> dict[str, Attribute]:
        return {names.OPERATION: INVOKE_AGENT, names.PROVIDER: names.provider_name(provider_type)}

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        attributes: dict[str, Attribute] = {names.REQUEST_MODEL: request.model}
        if request.stream:
            attributes[names.STREAM] = True
        if request.background:
            attributes[names.BACKGROUND] = True
        if conversation := request.conversation_id:
            attributes[names.CONVERSATION_ID] = bounded(conversation)
        if previous := request.previous_response_id:
            attributes[names.PREVIOUS_RESPONSE] = bounded(previous)
        if request.tools:
            attributes[names.TOOL_TYPES] = [*dict.fromkeys(map(_kind_of, request.tools))]
        for field, name in _OF_REQUEST.items():
            if (value := getattr(request, field)) is not None:
                attributes[name] = value
        return INVOKE_AGENT, attributes

    def answer(self, span: Span, answer: Any) -> None:
        if isinstance(answer, Reply):
            _note(span, _read(answer.data))

    def stream(self, span: Span, first: Frames, last: Iterable[Frames]) -> None:
        """All of it is in the last event; of one that was left, the first one says which it was."""
        ending = b"".join(frames.data for frames in last).removesuffix(b"\n\n").rpartition(b"\n\n")[2]
        for event in dict.fromkeys((first.data.partition(b"\n\n")[0], ending)):
            for said in payloads(event):
                try:
                    told = _event(said).response
                except (msgspec.DecodeError, RecursionError):
                    continue
                if told is not None:
                    _note(span, told)


def _kind_of(tool: Mapping[str, Any]) -> str:
    """The kind of a tool; web search has several names, one for each version of it."""
    kind = bounded(tool["type"])
    return _WEB_SEARCH if kind.startswith(_WEB_SEARCH) else kind


def _read(document: bytes) -> _Response:
    try:
        return _response(document)
    except (msgspec.DecodeError, RecursionError):
        return _Response()


def _note(span: Span, told: _Response) -> None:
    attributes = span.attributes
    if told.id:
        attributes[names.RESPONSE_ID] = bounded(told.id)
    if told.status:
        attributes[names.RESPONSE_STATUS] = bounded(told.status)
    if told.conversation is not None and told.conversation.id:
        attributes[names.CONVERSATION_ID] = bounded(told.conversation.id)
    if told.usage is not None:
        note_usage(attributes, told.usage)
    if told.error is not None and not span.error:
        span.error = bounded(told.error.code or told.status)


_KEPT = Fields(asked={"response_id": names.RESPONSE_ID})

DESCRIBED: Mapping[str, Described] = {
    "create_response": Answered(),
    "count_input_tokens": Fields(asked={"model": names.REQUEST_MODEL}),
    "compact_response": Fields(asked={"model": names.REQUEST_MODEL, "previous_response_id": names.PREVIOUS_RESPONSE}),
    "get_response": _KEPT,
    "cancel_response": _KEPT,
    "delete_response": _KEPT,
    "list_input_items": _KEPT,
}
