"""Room in memory that several share: who needs more than is left waits, in the order in which they came.

What is larger than all of it is let in alone. Knows sizes, and not what they are of.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Taken:
    """The part that one has. size_bytes: of it."""

    def __init__(self, room: Room, size_bytes: int) -> None:
        self._room = room
        self.size_bytes = size_bytes

    def resize(self, size_bytes: int) -> None:
        """Have more or less from now on; more without waiting, since it is there already."""
        self._room.give_back(self.size_bytes - size_bytes)
        self.size_bytes = size_bytes


class Room:
    """size_bytes: all of it."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._taken_bytes = 0
        self._users = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def taken(self, size_bytes: int) -> AsyncIterator[Taken]:
        """So much of it for the block, which begins once there is so much."""
        await self._take(size_bytes)
        taken = Taken(self, size_bytes)
        try:
            yield taken
        finally:
            self._leave(taken.size_bytes)

    def give_back(self, size_bytes: int) -> None:
        """Let others have it. size_bytes: below 0 for what is taken besides."""
        self._taken_bytes -= size_bytes
        self._let_in()

    async def _take(self, size_bytes: int) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, place))
        self._let_in()
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._waiting.remove((size_bytes, place))
                self._let_in()
            else:
                self._leave(size_bytes)
            raise

    def _leave(self, size_bytes: int) -> None:
        self._users -= 1
        self.give_back(size_bytes)

    def _let_in(self) -> None:
        while self._waiting:
            size_bytes, place = self._waiting[0]
            if self._users and self._taken_bytes + size_bytes > self._size_bytes:
                return
            self._waiting.popleft()
            if not place.cancelled():
                self._users += 1
                self._taken_bytes += size_bytes
                place.set_result(None)
