"""Turns of agents: which agent, session and turn. What its model was asked is told of the response that it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from runtime.sse import Frames, Reply, payloads
from runtime.telemetry import conventions as names
from runtime.telemetry.operation import CREATE_AGENT, INVOKE_AGENT, Described, Fields, bounded
from runtime.telemetry.spans import Attribute, Span


class _Turn(msgspec.Struct):
    turn_id: str = ""


class _Payload(msgspec.Struct):
    turn_id: str = ""
    turn: _Turn | None = None


class _Event(msgspec.Struct):
    payload: _Payload | None = None


class _Chunk(msgspec.Struct):
    event: _Event | None = None


_turn = msgspec.json.Decoder(_Turn).decode
_chunk = msgspec.json.Decoder(_Chunk).decode
_OF_AGENT = {"agent_id": names.AGENT_ID}
_OF_SESSION = {**_OF_AGENT, "session_id": names.CONVERSATION_ID}
_OF_TURN = {**_OF_SESSION, "turn_id": names.TURN_ID}


class _OfProvider(Fields):
    def __init__(self, operation: str, asked: Mapping[str, str], answered: Mapping[str, str]) -> None:
        super().__init__(asked=asked, answered=answered)
        self._operation = operation

    def facts(self, provider_type: str) -> dict[str, Attribute]:
        return {names.OPERATION: self._operation, names.PROVIDER: names.provider_name(provider_type)}


class Turns(_OfProvider):
    """A turn that is made, or goes on."""

    def __init__(self) -> None:
        super().__init__(INVOKE_AGENT, _OF_TURN, {})

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        attributes = super().request(request)[1]
        if request.stream:
            attributes[names.STREAM] = True
        return INVOKE_AGENT, attributes

    def answer(self, span: Span, answer: Any) -> None:
        if isinstance(answer, Reply):
            try:
                _note(span, _turn(answer.data).turn_id)
            except (msgspec.DecodeError, RecursionError):
                return

    def stream(self, span: Span, first: Frames, last: Iterable[Frames]) -> None:
        for said in payloads(first.data.partition(b"\n\n")[0]):
            try:
                event = _chunk(said).event
            except (msgspec.DecodeError, RecursionError):
                continue
            if event is not None and (payload := event.payload) is not None:
                _note(span, payload.turn_id or (payload.turn.turn_id if payload.turn else ""))


class NewAgent(_OfProvider):
    """An agent that is made."""

    def __init__(self) -> None:
        super().__init__(CREATE_AGENT, {}, _OF_AGENT)

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        config = request.agent_config
        attributes: dict[str, Attribute] = {names.REQUEST_MODEL: config.model}
        if not config.name:
            return CREATE_AGENT, attributes
        attributes[names.AGENT_NAME] = bounded(config.name)
        return f"{CREATE_AGENT} {attributes[names.AGENT_NAME]}", attributes


def _note(span: Span, turn_id: str) -> None:
    if turn_id:
        span.attributes[names.TURN_ID] = bounded(turn_id)


_AGENT, _SESSION, _KEPT = Fields(asked=_OF_AGENT), Fields(asked=_OF_SESSION), Fields(asked=_OF_TURN)

DESCRIBED: Mapping[str, Described] = {
    "create_turn": Turns(),
    "resume_turn": Turns(),
    "create_agent": NewAgent(),
    "get_agent": _AGENT,
    "delete_agent": _AGENT,
    "list_sessions": _AGENT,
    "create_session": Fields(asked=_OF_AGENT, answered={"session_id": names.CONVERSATION_ID}),
    "get_session": _SESSION,
    "delete_session": _SESSION,
    "get_turn": _KEPT,
    "get_step": _KEPT,
}
