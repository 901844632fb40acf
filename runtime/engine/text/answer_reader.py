"""An answer's parts from its text, while it arrives: reasoning first, then text and calls."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.engine.text.answer_parts import Content, Part
from runtime.engine.text.reasoning import ReasoningReader
from runtime.engine.text.tool_calls import CallReader


class AnswerReader:
    """reasoning, calls: None where the answer has none. Without both, text is passed on as it is."""

    def __init__(self, reasoning: ReasoningReader | None = None, calls: CallReader | None = None) -> None:
        self._reasoning, self._calls = reasoning, calls

    @property
    def calls(self) -> int:
        """How many calls have begun."""
        return self._calls.count if self._calls is not None else 0

    @property
    def is_in_call(self) -> bool:
        """Whether a call has begun whose arguments are not whole yet."""
        return self._calls is not None and self._calls.is_in_call

    def push(self, text: str) -> list[Part]:
        """The parts that `text` completes."""
        if self._reasoning is None:
            return self._split([Content(text)] if text else [])
        return self._split(self._reasoning.push(text))

    def finish(self) -> list[Part]:
        """The rest at the end of the answer."""
        parts = self._split(self._reasoning.finish()) if self._reasoning is not None else []
        return parts + (self._calls.finish() if self._calls is not None else [])

    def _split(self, parts: Iterable[Part]) -> list[Part]:
        if self._calls is None:
            return list(parts)
        split: list[Part] = []
        for part in parts:
            split += self._calls.push(part.text) if isinstance(part, Content) else [part]
        return split
