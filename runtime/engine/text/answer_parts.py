"""The parts of an answer: text to show, reasoning, calls of functions."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Content:
    """Text for the user."""

    text: str


@dataclass(frozen=True)
class Reasoning:
    """Text that a model writes before its answer, for itself."""

    text: str


@dataclass(frozen=True)
class CallStart:
    """A call of the function `name`. index: which call of the answer it is, from 0."""

    index: int
    name: str


@dataclass(frozen=True)
class CallArguments:
    """The next piece of a call's arguments; joined they are JSON, unless the answer was cut off."""

    index: int
    text: str


Part = Content | Reasoning | CallStart | CallArguments


class PartReader(ABC):
    """Splits a text that arrives in pieces. `_buffer`: what is not read yet. `_read`: what reads its beginning where it
    stands now; False where it waits for more.
    """

    _buffer: str
    _read: Callable[[list[Part]], bool]

    def push(self, text: str) -> list[Part]:
        """The parts that `text` completes."""
        self._buffer += text
        parts: list[Part] = []
        while self._buffer and self._read(parts):
            pass
        return parts
