"""How many changes of a file or a server may be pending, before further callers wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from runtime.errors import StackError

T = TypeVar("T")


class Slots:
    """For one event loop. count: the most that may be pending."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)

    async def outcome(self, put: Callable[[], asyncio.Future[T]]) -> T:
        """The outcome of what `put` queues, which is called once there is a slot. An error is this caller's own.

        A caller who is cancelled takes nothing back, so others must wait for it as before: whoever would set the future
        and finds it cancelled calls `give_back`.
        """
        await self._free.acquire()
        future = None
        try:
            future = put()
            return await future
        except StackError as error:  # one that may have failed several
            raise error.for_another() from error.__cause__
        finally:
            if future is None or not future.cancelled():
                self._free.release()

    def give_back(self) -> None:
        """The slot of a caller who left before the outcome was there."""
        self._free.release()
