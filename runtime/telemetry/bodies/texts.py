"""Prompts and texts of completions, in the form of the conventions: a message each."""

from __future__ import annotations

from typing import Any

from runtime.sse import Json, decode, payloads
from runtime.telemetry.bodies import parts
from runtime.telemetry.bodies.room import Room

_MOST_CHOICES = 128
_HELD_CHARACTERS = 1024 * 1024
"""Of the texts of a stream, while it goes on."""


def asked(request: Any) -> list[Any]:
    """The prompts; of tokens, only that there are some."""
    prompt = request.prompt
    if isinstance(prompt, str):
        return [prompt]
    return prompt if prompt and not isinstance(prompt[0], int) else [prompt]


def prompt(said: Any, room: Room) -> Json:
    told = [parts.text(said, room)] if isinstance(said, str) else [{"type": "tokens"}]
    return {"role": "user", "parts": told}


def choice(said: Any, room: Room) -> Json:
    told = [parts.text(text, room)] if (text := said.get("text")) else []
    return {"role": "assistant", "parts": told, "finish_reason": room.name(said.get("finish_reason"))}


class Heard:
    """A stream as far as it was heard, and as far as it makes sense."""

    def __init__(self) -> None:
        self._texts: dict[int, list[str]] = {}
        self._reasons: dict[int, str] = {}
        self._left = _HELD_CHARACTERS

    def add(self, data: bytes) -> None:
        """The next events."""
        for said in payloads(data):
            if said.startswith(b"{") and self._left > 0:
                try:
                    for one in decode(said).get("choices") or ():
                        self._take(one)
                except (ValueError, TypeError, AttributeError, RecursionError):
                    self._left = 0

    def _take(self, one: Json) -> None:
        index = int(one.get("index") or 0)
        if index not in self._texts and len(self._texts) >= _MOST_CHOICES:
            return
        text = str(one.get("text") or "")
        self._texts.setdefault(index, []).append(text)
        self._left -= len(text)
        if reason := one.get("finish_reason"):
            self._reasons[index] = reason

    def answer(self) -> Json:
        """The answer as if it had not been streamed."""
        return {
            "choices": [
                {"index": index, "text": "".join(texts), "finish_reason": self._reasons.get(index)}
                for index, texts in sorted(self._texts.items())
            ]
        }
