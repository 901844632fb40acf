"""An answer that is recorded as it comes: read by a task of its own, so that whoever reads along may leave at any
moment, also while they wait, and nothing is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Reading(Generic[T]):
    """What comes from `source`, for one reader at a time; another one goes on where the last has left. The source is
    read on meanwhile, from the first time that something is asked of this.

    at_end: called once, when nothing more comes and before the reader learns of it, with the error that ended it: None
    for an answer that came whole, CancelledError for one that was stopped. came: each piece with the moment it came, by
    `time.monotonic`.
    """

    def __init__(self, source: AsyncIterator[T], at_end: Callable[[BaseException | None], None]) -> None:
        self._source = source
        self._at_end = at_end
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._place = 0
        self._error: BaseException | None = None
        self.came: list[tuple[float, T]] = []
        self.is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self._task is None:
            self._task = asyncio.create_task(self._read(), name="read an answer that is recorded")
        while self._place == len(self.came):
            if self._error is not None:
                raise self._error
            if self.is_over:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        piece = self.came[self._place][1]
        self._place += 1
        return piece

    async def stop(self) -> None:
        """Read no more of it. Nothing is reading the source when this returns."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        self._end(asyncio.CancelledError())

    async def _read(self) -> None:
        try:
            async for piece in self._source:
                self.came.append((time.monotonic(), piece))
                self._news.set()
        except BaseException as error:  # it is the reader's
            self._end(error)
        else:
            self._end(None)

    def _end(self, error: BaseException | None) -> None:
        if self.is_over:
            return
        self.is_over = True
        try:
            self._at_end(error)
        except Exception as failure:  # likewise
            error = failure
        self._error = error
        self._news.set()
