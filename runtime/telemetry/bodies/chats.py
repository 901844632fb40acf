"""The messages of chat completions, in the form of the conventions."""

from __future__ import annotations

from typing import Any

from runtime.apis.inference.merging import MergedChat
from runtime.sse import Json
from runtime.telemetry.bodies import parts
from runtime.telemetry.bodies.room import Room

_MOST_CHOICES = 128
_HELD_BYTES = 1024 * 1024
"""Of the events of a stream, while it goes on."""


def asked(request: Any) -> list[Any]:
    messages: list[Any] = request.messages
    return messages


def message(said: Any, room: Room) -> Json:
    """A message of the request or of an answer."""
    role = room.name(said.get("role") or "assistant")
    if role in ("tool", "function"):
        content = said.get("content")
        response: Any = content if isinstance(content, str) else [*parts.parts_of(content, room)]
        return {"role": "tool", "parts": [parts.result(said.get("tool_call_id"), response, room)]}
    found: list[Json] = []
    for name in ("reasoning_content", "reasoning"):
        if isinstance(thought := said.get(name), str) and thought:
            found.append(parts.thought(thought, room))
            break
    found += parts.parts_of(said.get("content"), room)
    if said.get("refusal"):
        found.append(parts.text(said["refusal"], room))
    for one in said.get("tool_calls") or ():
        if not room.begin():
            break
        called = one.get("function") or one.get("custom") or {}
        given = called.get("arguments") or called.get("input")
        found.append(parts.call(one.get("id"), called.get("name"), given, room))
    return {"role": role, "parts": found}


def choice(said: Any, room: Room) -> Json:
    return {**message(said.get("message") or {}, room), "finish_reason": room.name(said.get("finish_reason"))}


class Heard:
    """A stream as far as it was heard, and as far as it makes sense."""

    def __init__(self) -> None:
        self._merged: MergedChat | None = MergedChat(choices=_MOST_CHOICES, limit_bytes=_HELD_BYTES)
        self._answer: Json = {}

    def add(self, data: bytes) -> None:
        """The next events."""
        if self._merged is not None:
            try:
                self._merged.add(data)
            except (ValueError, TypeError, AttributeError, RecursionError):
                self._answer, self._merged = self.answer(), None

    def answer(self) -> Json:
        """The answer as if it had not been streamed."""
        if self._merged is None:
            return self._answer
        try:
            return self._merged.answer()
        except (ValueError, TypeError, AttributeError, RecursionError):
            return {}
