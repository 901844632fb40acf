"""Which containers have a process: started when code is to run, used again, ended when idle or to make room."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from runtime.errors import RateLimited, Unavailable
from runtime.providers.containers.bubblewrap.process import Process, Ran
from runtime.to_the_end import to_the_end

Start = Callable[[], Awaitable[Process]]


class _Slot:
    """A container's. lock: held while something uses it. users: who have it or wait for it. runs: whether code does.
    is_ending: whether nothing is to run in it any more.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.process: Process | None = None
        self.used_at = time.monotonic()
        self.users = 0
        self.runs = False
        self.is_ending = False


class Processes:
    """At most `most` at once. wait_s: how long code waits for one to be free; idle_s: after how long one ends."""

    def __init__(self, *, most: int, wait_s: float, idle_s: float) -> None:
        self._free = asyncio.Semaphore(most)
        self._most = most
        self._wait_s = wait_s
        self._idle_s = idle_s
        self._slots: defaultdict[str, _Slot] = defaultdict(_Slot)
        self._starting = 0
        self._has_stopped = False

    def is_used(self, container_id: str) -> bool:
        """Whether code runs in it, or waits to."""
        return container_id in self._slots and self._slots[container_id].users > 0

    @asynccontextmanager
    async def alone(self, container_id: str) -> AsyncIterator[_Slot]:
        """Nothing else runs in the container meanwhile. Raises Unavailable after `stop`."""
        slot = self._slots[container_id]
        slot.users += 1
        try:
            async with slot.lock:
                if self._has_stopped:
                    raise Unavailable("The provider has been stopped")
                yield slot
        finally:
            slot.users -= 1
            slot.used_at = time.monotonic()
            self._forget_unused(container_id, slot)

    async def run(self, slot: _Slot, start: Start, code: str, timeout_s: float) -> tuple[Ran, bool]:
        """What comes of code, and whether its process was a new one. Where the caller is cancelled, the process ends.

        Raises RateLimited while as many containers run code as may, Unavailable where the container is ended meanwhile,
        and what `start` raises.
        """
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise RateLimited(
                f"{self._most} containers run code, and no more may",
                hint="try again later, or raise `max_running` in the provider's config",
            ) from None
        slot.runs = True
        try:
            if slot.process is not None and slot.process.has_ended:
                await self._end(slot)
            if slot.process is None and not slot.is_ending:
                slot.process = await self._started(start)
            if slot.process is None or slot.is_ending:
                await self._end(slot)
                raise Unavailable("The container was ended before its code ran")
            is_fresh = slot.process.runs == 0
            try:
                ran = await slot.process.run(code, timeout_s)
            except BaseException:
                await to_the_end(self._end(slot))
                raise
            if ran.is_over:
                await self._end(slot)
            if slot.is_ending:
                raise Unavailable("The container was ended while its code ran: it was deleted, or the server stops")
            return ran, is_fresh
        finally:
            slot.runs = False
            self._free.release()

    async def end(self, container_id: str) -> None:
        """End what runs in a container, if anything does, and wait until it has ended."""
        if container_id in self._slots:
            self._ending(self._slots[container_id])
            async with self.alone(container_id) as slot:
                await self._end(slot)

    async def end_idle(self) -> None:
        """End those that nobody has used for so long."""
        before = time.monotonic() - self._idle_s
        for container_id, slot in [*self._slots.items()]:
            if slot.process is not None and slot.users == 0 and slot.used_at < before:
                await self._end(slot)
                self._forget_unused(container_id, slot)

    async def stop(self) -> None:
        """End all, those that run code too."""
        self._has_stopped = True
        slots = [*self._slots.values()]
        for slot in slots:
            self._ending(slot)
        for slot in slots:
            async with slot.lock:
                await self._end(slot)

    def _ending(self, slot: _Slot) -> None:
        """Whoever waits for what runs in it stops to."""
        slot.is_ending = True
        if slot.process is not None:
            slot.process.kill()

    async def _started(self, start: Start) -> Process:
        """A new one, after as many of those that run no code have ended as it takes."""
        alive = [(key, slot) for key, slot in self._slots.items() if slot.process is not None]
        idle = sorted((one for one in alive if not one[1].runs), key=lambda one: one[1].used_at)
        too_many = len(alive) + self._starting + 1 - self._most
        self._starting += 1
        try:
            for container_id, slot in idle[: max(0, too_many)]:
                await self._end(slot)
                self._forget_unused(container_id, slot)
            return await start()
        finally:
            self._starting -= 1

    def _forget_unused(self, container_id: str, slot: _Slot) -> None:
        """Unless a process was started in it meanwhile, or is to be."""
        if slot.users == 0 and slot.process is None and self._slots.get(container_id) is slot:
            del self._slots[container_id]

    async def _end(self, slot: _Slot) -> None:
        process, slot.process = slot.process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                await process.end()
