"""Reading what a model's provider sent, which may make no sense."""

from __future__ import annotations

import logging
from types import TracebackType

from runtime.errors import StackError, UpstreamError

log = logging.getLogger(__name__)


class making_sense:  # used as a function
    """Around what reads a model's answer: whatever goes wrong there is its provider's failure. Raises UpstreamError."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception) or isinstance(error, StackError):
            return
        log.error("the answer of a model cannot be read", exc_info=error)
        words = f"The model's answer makes no sense: `{type(error).__name__}`"  # its own words are for the log
        raise UpstreamError(words, provider_id="responses") from error
