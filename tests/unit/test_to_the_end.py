"""Work that is finished even if whoever waits for it leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.to_the_end import to_the_end


class Work:
    """may_end: what it waits for. fails: what it raises then."""

    def __init__(self, fails: BaseException | None = None) -> None:
        self.may_end = asyncio.Event()
        self.has_ended = False
        self._fails = fails

    async def do(self) -> str:
        await self.may_end.wait()
        self.has_ended = True
        if self._fails is not None:
            raise self._fails
        return "done"


async def left(work: Work, *, times: int) -> asyncio.Task[Any]:
    """Whoever waits for it is cancelled so often, and still waits."""
    waiting = asyncio.create_task(to_the_end(work.do()))
    for _ in range(times):
        await asyncio.sleep(0)
        waiting.cancel()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done() and not work.has_ended
    work.may_end.set()
    return waiting


async def test_it_returns_and_raises_what_the_work_does() -> None:
    for fails in (None, ValueError("no")):
        work = Work(fails)
        work.may_end.set()
        if fails is None:
            assert await to_the_end(work.do()) == "done"
        else:
            with pytest.raises(ValueError, match="no"):
                await to_the_end(work.do())


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_whoever_is_cancelled_leaves_when_it_is_over(times: int, caplog: pytest.LogCaptureFixture) -> None:
    work = Work()
    waiting = await left(work, times=times)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert work.has_ended and waiting.cancelled() and caplog.records == []


async def test_a_limit_of_time_that_has_passed_is_told_when_it_is_over() -> None:
    work = Work()
    asyncio.get_running_loop().call_later(0.02, work.may_end.set)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await to_the_end(work.do())
    assert work.has_ended


async def test_what_fails_after_its_caller_has_left_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    waiting = await left(Work(OSError(28, "No space left on device")), times=1)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    [record] = caplog.records
    assert record.__dict__["work"] == "Work.do"
    assert record.exc_info is not None and isinstance(record.exc_info[1], OSError)


async def test_work_that_is_cancelled_itself_is_over() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await to_the_end(cancelled())
