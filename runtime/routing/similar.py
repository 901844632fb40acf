"""Names like one that is not known, for hints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from runtime.errors import did_you_mean

_CHEAP_S, _PAUSE = 0.002, 10
"""Seconds, and a factor. If a search takes longer than this, no search follows for that many times its duration: with
thousands of names, many requests for unknown ones would otherwise delay all others.
"""


class SimilarNames:
    """Searches them, unless a search took too long a moment ago."""

    def __init__(self) -> None:
        self._look_again_at = 0.0

    def to(self, name: str, known: Callable[[], Iterable[str]]) -> str | None:
        """A hint that names those of `known` that are like `name`; None where there are none, or no search is made."""
        if time.monotonic() < self._look_again_at:
            return None
        began = time.thread_time()
        close = did_you_mean(name, list(known()))
        cost_s = time.thread_time() - began
        if cost_s > _CHEAP_S:
            self._look_again_at = time.monotonic() + _PAUSE * cost_s
        return close
