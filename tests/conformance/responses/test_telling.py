"""Following a response that is made in the background, and leaving it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from runtime.providers.responses.builtin.telling import Telling


class InProgress:
    """A store with one response that is made, and has no new events."""

    async def first(self, query: Any) -> dict[str, Any]:
        return {"status": "in_progress"}

    async def select(self, query: Any) -> list[Any]:
        return []


async def test_a_follower_that_is_ended_as_news_comes_ends() -> None:
    """A server that stops ends its streams while responses go on: both in one turn of the loop."""
    telling = Telling(cast(Any, InProgress()))
    following = asyncio.create_task(anext(telling.follow("resp_1", -1)))
    async with asyncio.timeout(20):
        while "resp_1" not in telling._news:
            await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)  # until it waits
    telling.tell("resp_1")
    following.cancel()
    await asyncio.wait({following}, timeout=20)
    assert following.cancelled()
