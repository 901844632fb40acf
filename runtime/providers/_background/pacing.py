"""How many requests a provider is asked at once: fewer when it says that it is too many, then slowly more again.

Additive increase, multiplicative decrease: Chiu and Jain 1989, "Analysis of the Increase and Decrease Algorithms for
Congestion Avoidance in Computer Networks". Knows no requests.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
LONGEST_WAIT_S = 3600.0
"""A provider that says to wait for longer is asked after this: what it says may be wrong, and all batches wait."""


@dataclass(frozen=True, slots=True)
class Place:
    """Permission to ask once. round: how often the limit had been halved when it was given."""

    round: int


class Pace:
    """Of one provider. most: the highest limit, and the first. clock: in seconds, from any time on.

    The limit grows by about one for each `limit` answers. A refusal halves it and begins a pause for all: as long as
    the provider says, else twice as long as the one before, from a second to a minute. What was asked before counts as
    part of the same refusal.
    """

    def __init__(
        self,
        most: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._most = most
        self._clock = clock
        self._sleep = sleep
        self._limit = float(most)
        self._asked = self._round = 0
        self._not_before = clock()
        self._pause_s = FIRST_PAUSE_S
        self._line = asyncio.Lock()  # whoever waits for a place, in order
        self._changed = asyncio.Event()

    @property
    def limit(self) -> int:
        """How many may ask at once; at least 1."""
        return int(self._limit)

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[Place, None]:
        """Wait for a place and hold it: `async with pace.place() as place`."""
        async with self._line:
            await self._wait()
            self._asked += 1
        try:
            yield Place(self._round)
        finally:
            self._asked -= 1
            self._changed.set()

    def answered(self) -> None:
        """Say that a request was not refused."""
        self._limit = min(self._most, self._limit + 1 / self._limit)
        self._pause_s = FIRST_PAUSE_S

    def refused(self, place: Place, *, wait_s: float | None) -> None:
        """Say that it is too much. place: with which it was asked. wait_s: how long to wait, None if unsaid."""
        if place.round == self._round:
            self._round += 1
            self._limit = max(1.0, self._limit / 2)
            if wait_s is None:
                wait_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
        if wait_s is not None:
            self._not_before = max(self._not_before, self._clock() + min(wait_s, LONGEST_WAIT_S))

    async def _wait(self) -> None:
        while True:
            if (pause_s := self._not_before - self._clock()) > 0:
                await self._sleep(pause_s)
            elif self._asked < self.limit:
                return
            else:
                self._changed.clear()
                await self._changed.wait()
