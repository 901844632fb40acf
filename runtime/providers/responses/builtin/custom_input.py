"""The input of a custom tool as the one argument of a function, for models whose providers have functions only."""

from __future__ import annotations

import json
import re

from runtime.sse import encode

INPUT = "input"
_opens = re.compile(r'\s*\{\s*"input"\s*:\s*"').match
_sure = re.compile(r'(?:[^"\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*').match
_half = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z").search
"""The first half of a character beyond 16 bits, which needs the second to be read."""


def arguments_of(text: str) -> str:
    """The arguments of a function that is called with this input."""
    return encode({INPUT: text}).decode()


def input_of(arguments: str) -> str | None:
    """The input in whole arguments; None for those that have none."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        return None
    value = given.get(INPUT) if isinstance(given, dict) else None
    return _whole(value) if isinstance(value, str) else None


class ArgumentsRead:
    """Arguments that come in pieces, and the input in them as far as it is sure."""

    def __init__(self) -> None:
        self._all = ""
        self._place: int | None = None  # up to where the input is read
        self._told: list[str] = []

    def add(self, piece: str) -> str:
        """What the next piece adds to the input."""
        self._all += piece
        if self._place is None and (begin := _opens(self._all)) is not None:
            self._place = begin.end()
        if self._place is None:
            return ""
        found = _sure(self._all, self._place)
        assert found is not None, "nothing matches too"
        raw = found[0]
        if half := _half(raw):
            raw = raw[: half.start()]
        self._place += len(raw)
        text = _whole(json.loads(f'"{raw}"', strict=False))
        self._told.append(text)
        return text

    def end(self) -> str:
        """What was not told yet of the input. Arguments that are none as they should be are the input themselves: the
        model was to call the tool with text.
        """
        told = "".join(self._told)
        whole = input_of(self._all)
        if whole is None:
            whole = self._all if self._place is None else told
        return whole[len(told) :] if whole.startswith(told) else ""


def _whole(text: str) -> str:
    """With `?` for half a character, which no answer can have."""
    return text.encode(errors="replace").decode()
