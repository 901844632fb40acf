"""Work on one thing that several ask for at about the same time, done together: as a group commit does it.

first  ->  at work alone
others ->  wait meanwhile  ->  the first of them does what all of them asked for
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class _Wanted(Generic[T]):
    def __init__(self, items: Sequence[T]) -> None:
        self.items = items
        self.is_done = False


class _Place(Generic[T]):
    """What waits for one thing. users: how many wait or work."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting: list[_Wanted[T]] = []
        self.users = 0


class Joining(Generic[T]):
    """most: so many items are done together, unless one asks for more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._places: dict[Hashable, _Place[T]] = {}

    async def do(self, thing: Hashable, items: Sequence[T], work: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        """Have `work` done on these items and those of others; it may be repeated. thing: there is one `work` at a time
        for each.

        Raises what `work` raises for these items alone. If the caller is cancelled, nothing of its own is at work any
        more when this ends, but for what `work` leaves.
        """
        place = self._places.setdefault(thing, _Place())
        place.users += 1
        mine = _Wanted(items)
        place.waiting.append(mine)
        try:
            try:
                await place.lock.acquire()
            except asyncio.CancelledError:
                await self._withdraw(place, mine)
                raise
            try:
                if not mine.is_done:
                    await self._lead(place, mine, work)
            finally:
                place.lock.release()
        finally:
            place.users -= 1
            if not place.users:
                del self._places[thing]

    async def _withdraw(self, place: _Place[T], mine: _Wanted[T]) -> None:
        if mine not in place.waiting:
            async with place.lock:  # whoever has it at work; where that failed, it waits again
                pass
        if mine in place.waiting:
            place.waiting.remove(mine)

    async def _lead(self, place: _Place[T], mine: _Wanted[T], work: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        place.waiting.remove(mine)
        several, count = [mine], len(mine.items)
        while place.waiting and count + len(place.waiting[0].items) <= self._most:
            several.append(place.waiting.pop(0))
            count += len(several[-1].items)
        try:
            await work([item for one in several for item in one.items])
        except BaseException as error:
            place.waiting[:0] = several[1:]
            if len(several) == 1 or not isinstance(error, Exception):
                raise
            await work(mine.items)
        else:
            for one in several:
                one.is_done = True
