"""Limits the silence between two reads of an answer, at little cost for each read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Silence:
    """Calls `end` once if a read has waited for longer than `limit_s`. Only one reader at a time.

    It has one timer, which is set again when it fires. aiohttp sets one for every read, which costs a tenth of all the
    work for a streamed event. The time between two reads does not count: then we are waiting for our own client.
    """

    __slots__ = ("_end", "_limit_s", "_loop", "_timer", "_waiting_since")

    def __init__(self, limit_s: float, end: Callable[[], None]) -> None:
        self._limit_s = limit_s
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._waiting_since: float | None = None
        self._timer = self._loop.call_later(limit_s, self._check)

    def begin(self) -> None:
        """A read begins to wait."""
        self._waiting_since = self._loop.time()

    def heard(self) -> None:
        """Something has arrived."""
        self._waiting_since = None

    def stop(self) -> None:
        """No more is read."""
        self._timer.cancel()

    def _check(self) -> None:
        now = self._loop.time()
        since = now if self._waiting_since is None else self._waiting_since
        if now - since >= self._limit_s:
            self._end()
        else:
            self._timer = self._loop.call_at(since + self._limit_s, self._check)
