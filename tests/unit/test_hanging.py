"""What a test that hangs is told to wait for."""

from __future__ import annotations

import asyncio

from tests.support.hanging import waiting_tasks


async def test_a_waiting_task_is_shown_with_the_chain_of_what_it_awaits() -> None:
    async def inner() -> None:
        await asyncio.Event().wait()

    async def outer() -> None:
        await inner()

    task = asyncio.ensure_future(outer())
    await asyncio.wait([task], timeout=0)
    shown = waiting_tasks()
    task.cancel()
    ours = shown[shown.index(".outer") :]  # tasks of other tests may wait beside it
    assert ours.index(".inner") < ours.index("in Event.wait")
