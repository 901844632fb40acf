"""Work in a thread ends as its caller leaves, and nothing of its answer is kept after that."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from runtime.errors import Unavailable
from runtime.storage.analytics.interrupting import Interruptible, answer_of


class Connection:
    def __init__(self) -> None:
        self.interrupted = 0

    def interrupt(self) -> None:
        self.interrupted += 1


async def test_an_answer_is_gone_with_whoever_asked() -> None:
    """A page of rows stayed until the collector of cycles came by: a server that was read from grew by each page."""
    answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    answer.set_result(b"rows")
    gc.collect()
    gc.disable()
    try:
        assert await answer_of(Interruptible(), answer) == b"rows"
        kept = weakref.ref(answer)
        del answer
        await asyncio.sleep(0)
        assert kept() is None
    finally:
        gc.enable()


async def test_work_is_interrupted_until_it_ends_and_its_failure_is_nobodys() -> None:
    work, connection = Interruptible(), Connection()
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with work.on(connection):
        with pytest.raises(TimeoutError):
            await answer_of(work, answer, limit_s=0)
        async with asyncio.timeout(10):
            while connection.interrupted < 2:
                await asyncio.sleep(0.01)
        answer.set_exception(RuntimeError("interrupted"))
    with pytest.raises(Unavailable, match="before it began"), work.on(connection):
        pass
