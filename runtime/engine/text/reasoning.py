"""Reasoning in an answer: what a model writes between `<think>` and `</think>` before its answer. Knows text only."""

from __future__ import annotations

from runtime.engine.text.answer_parts import Content, Part, PartReader, Reasoning
from runtime.engine.text.stop_strings import possible_start

THINK, END_THINK = "<think>", "</think>"


class ReasoningReader(PartReader):
    """Splits an answer that arrives in pieces. is_open: whether the prompt has already opened the reasoning.

    White space at both ends of the reasoning, and before the answer after it, is left out.
    """

    def __init__(self, *, is_open: bool) -> None:
        self._buffer = ""
        self._read = self._opened if is_open else self._begin

    def finish(self) -> list[Part]:
        """The rest at the end of the answer."""
        text, self._buffer = self._buffer, ""
        if self._read == self._inside:
            return [Reasoning(text.rstrip())] if text.strip() else []
        return [Content(text)] if text and self._read != self._after else []

    def _begin(self, parts: list[Part]) -> bool:
        stripped = self._buffer.lstrip()
        if THINK.startswith(stripped) and stripped != THINK:
            return False
        self._read = self._text
        if stripped.startswith(THINK):
            self._buffer = stripped.removeprefix(THINK)
            self._read = self._opened
        return True

    def _opened(self, parts: list[Part]) -> bool:
        self._buffer = self._buffer.lstrip()
        if self._buffer:
            self._read = self._inside
        return bool(self._buffer)

    def _inside(self, parts: list[Part]) -> bool:
        at = self._buffer.find(END_THINK)
        sure = self._buffer[:at] if at >= 0 else self._buffer[: -possible_start(self._buffer, (END_THINK,)) or None]
        shown = sure.rstrip()
        if shown:
            parts.append(Reasoning(shown))
        self._buffer = self._buffer[at + len(END_THINK) :] if at >= 0 else self._buffer[len(shown) :]
        if at >= 0:
            self._read = self._after
        return at >= 0

    def _after(self, parts: list[Part]) -> bool:
        self._buffer = self._buffer.lstrip()
        if self._buffer:
            self._read = self._text
        return bool(self._buffer)

    def _text(self, parts: list[Part]) -> bool:
        parts.append(Content(self._buffer))
        self._buffer = ""
        return False
