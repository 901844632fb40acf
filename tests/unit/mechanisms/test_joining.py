"""What several ask for on one thing is done together, and each gets its own end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from runtime.providers.vector_stores.builtin.joining import Joining

LIMIT_S = 10


class Worker:
    """Work that is done as often as it may be, and notes what it did. refused: items that make it fail."""

    def __init__(self, *refused: str) -> None:
        self.done: list[str] = []
        self.refused = refused
        self.allowed = asyncio.Semaphore(0)
        self.at_work = 0
        self.begun = asyncio.Semaphore(0)

    def allow(self, times: int) -> None:
        for _ in range(times):
            self.allowed.release()

    async def __call__(self, items: Sequence[str]) -> None:
        assert not self.at_work
        self.at_work += 1
        self.begun.release()
        try:
            await self.allowed.acquire()
            for item in items:
                if item in self.refused:
                    raise ValueError(item)
            self.done.append("".join(items))
        finally:
            self.at_work -= 1


async def begun(joining: Joining[str], work: Worker, *asked: str) -> list[asyncio.Task[None]]:
    """Tasks for what is asked, the first of which is at work."""
    tasks = [asyncio.create_task(joining.do("thing", one, work)) for one in asked]
    await asyncio.wait_for(work.begun.acquire(), LIMIT_S)
    return tasks


async def ended(tasks: Sequence[asyncio.Task[None]]) -> list[BaseException | None]:
    return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), LIMIT_S)


async def test_what_waits_is_done_together_up_to_so_much() -> None:
    joining, work = Joining[str](4), Worker()
    tasks = await begun(joining, work, "a", "bc", "d", "ef", "ghijkl", "m")
    work.allow(5)
    assert await ended(tasks) == [None] * 6
    assert work.done == ["a", "bcd", "ef", "ghijkl", "m"]
    assert not joining._places


async def test_what_fails_fails_for_its_own_caller_only() -> None:
    joining, work = Joining[str](9), Worker("c")
    tasks = await begun(joining, work, "a", "b", "c", "d")
    work.allow(9)
    found = await ended(tasks)
    assert [type(one) for one in found] == [type(None), type(None), ValueError, type(None)]
    assert sorted("".join(work.done)) == ["a", "b", "d"]


@pytest.mark.parametrize("cancelled", [0, 1, 2])
async def test_who_leaves_takes_nothing_of_others_along(cancelled: int) -> None:
    joining, work = Joining[str](9), Worker()
    tasks = await begun(joining, work, "a", "b", "c")
    tasks[cancelled].cancel()
    work.allow(9)
    found = await ended(tasks)
    assert [isinstance(one, asyncio.CancelledError) for one in found] == [at == cancelled for at in range(3)]
    assert sorted("".join(work.done)) == [name for at, name in enumerate("abc") if at != cancelled]
    assert not joining._places


async def turn() -> None:
    """Let other tasks have theirs."""
    next_one = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(next_one.set_result, None)
    await next_one


async def test_who_leaves_while_its_own_is_at_work_waits_for_that() -> None:
    joining, work = Joining[str](9), Worker()
    tasks = await begun(joining, work, "a", "b", "c")
    work.allow(1)
    await asyncio.wait_for(work.begun.acquire(), LIMIT_S)
    tasks[2].cancel()
    await turn()
    assert not tasks[2].done()
    work.allow(1)
    assert [type(one) for one in await ended(tasks)] == [type(None), type(None), asyncio.CancelledError]
    assert work.done == ["a", "bc"]


async def test_who_leaves_while_its_own_is_at_work_in_vain_takes_it_along() -> None:
    joining, work = Joining[str](9), Worker("b")
    tasks = await begun(joining, work, "a", "b", "c")
    work.allow(1)
    await asyncio.wait_for(work.begun.acquire(), LIMIT_S)
    tasks[2].cancel()
    await turn()
    tasks.append(asyncio.create_task(joining.do("thing", "d", work)))
    await turn()
    work.allow(9)
    found = await ended(tasks)
    assert [type(one) for one in found] == [type(None), ValueError, asyncio.CancelledError, type(None)]
    assert work.done == ["a", "d"]
    assert not joining._places


async def test_who_leaves_its_own_work_for_several_keeps_none_waiting_and_waits_for_none() -> None:
    joining, work = Joining[str](9), Worker()
    tasks = await begun(joining, work, "a", "b", "c", "d")
    work.allow(1)
    await asyncio.wait_for(work.begun.acquire(), LIMIT_S)
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(tasks[1], LIMIT_S)
    assert not tasks[2].done()  # which is still at work
    work.allow(1)
    assert [type(one) for one in await ended(tasks)] == [type(None), asyncio.CancelledError, type(None), type(None)]
    assert work.done == ["a", "cd"]
    assert not joining._places
