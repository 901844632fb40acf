"""Sends what waits together: one way to the server and back, and one fsync of its log, serve many callers.

a change  ->  queue  ->  one task: everything that waits, in order  ->  all of them return
                         later changes wait for the next way
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from runtime.storage.redis.connections import Connections
from runtime.storage.redis.scripts import EXPIRING, KEYS, WRITE
from runtime.storage.slots import Slots

_MAX_BATCH, _MAX_BATCH_BYTES = 256, 8 << 20
MAX_WAITING = 1024
"""Changes that may be pending before further callers wait."""
Call = Sequence[bytes | int]


class Writes:
    """The pending changes of one store, sent in the order in which they came."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._waiting: deque[tuple[Call, asyncio.Future[int]]] = deque()
        self._slots = Slots(MAX_WAITING)
        self._task: asyncio.Task[None] | None = None

    async def do(self, call: Call) -> int:
        """The result of WRITE with these arguments, once the server has acknowledged it. Raises Unavailable. A caller
        that is cancelled takes nothing back.
        """

        def put() -> asyncio.Future[int]:
            future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            self._waiting.append((call, future))
            if self._task is None:
                self._task = asyncio.create_task(self._send())
            return future

        return await self._slots.outcome(put)

    async def finish(self) -> None:
        """Returns when nothing is pending."""
        while self._task is not None:
            await asyncio.wait({self._task})

    async def _send(self) -> None:
        await asyncio.sleep(0)  # those who ask at the same time come along
        while self._waiting:
            batch = self._next_batch()
            results: list[object]
            try:
                calls = [(KEYS, EXPIRING, *call) for call, _ in batch]
                results = await self._connections.run("written", WRITE, calls, keys=2)
            except Exception as error:  # all callers must get it, and those after them must be served
                results = [error] * len(batch)
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():  # cancelled: the caller left before the answer
                    self._slots.give_back()
                elif isinstance(result, BaseException):
                    future.set_exception(result)
                else:
                    assert isinstance(result, int)
                    future.set_result(result)
        self._task = None

    def _next_batch(self) -> list[tuple[Call, asyncio.Future[int]]]:
        batch, size = [self._waiting.popleft()], 0
        while self._waiting and len(batch) < _MAX_BATCH:
            size += sum(len(part) for part in batch[-1][0] if isinstance(part, bytes))
            if size >= _MAX_BATCH_BYTES:
                break
            batch.append(self._waiting.popleft())
        return batch
