"""Reading what a model's provider sent, which may make no sense."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any

from runtime.errors import StackError, UpstreamError

log = logging.getLogger(__name__)


class making_sense:  # used as a function
    """Around what reads a model's answer: whatever goes wrong there is its provider's failure. Raises UpstreamError.
    reader: who reads it, as the error's provider.
    """

    __slots__ = ("_reader",)

    def __init__(self, reader: str) -> None:
        self._reader = reader

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception) or isinstance(error, StackError):
            return
        log.error("the answer of a model cannot be read", exc_info=error)
        words = f"The model's answer makes no sense: `{type(error).__name__}`"  # its own words are for the log
        raise UpstreamError(words, provider_id=self._reader) from error


def text_of(content: Any) -> str:
    """Content is a text; some providers send parts. Raises TypeError for anything else."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content)
    if not isinstance(content, str | None):
        raise TypeError(f"a text is expected, not {type(content).__name__}")
    return content or ""
