"""A vendor that answers when a test lets it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from runtime.conformance.upstream.chat import chat
from runtime.conformance.upstream.wire import OPENAI
from tests.conformance.batches.asking import LIMIT_S, Asking, Json


class Held:
    """Answers chats that are let through and holds the others. asked: the texts, in order; now, most: held at once."""

    def __init__(self, free: int = 0) -> None:
        self.asked: list[str] = []
        self.most = 0
        self._free = asyncio.Semaphore(free)
        self.now = 0
        self._changed = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body["messages"][-1]["content"])
        self.now += 1
        self.most = max(self.most, self.now)
        self._changed.set()
        try:
            await self._free.acquire()
        finally:
            self.now -= 1
        return await self.answer(body)

    async def answer(self, body: Json) -> web.StreamResponse:
        return web.json_response(chat(body, OPENAI).whole)

    def let(self, count: int = 1_000_000) -> None:
        """Answer so many more."""
        for _ in range(min(count, 10_000)):
            self._free.release()

    async def until(self, count: int) -> None:
        """Return when so many were asked."""
        async with asyncio.timeout(LIMIT_S):
            while len(self.asked) < count:
                self._changed.clear()
                await self._changed.wait()


async def until(asking: Asking, batch: Json, **counts: int) -> Json:
    """The batch, once it has these counts."""
    async with asyncio.timeout(LIMIT_S):
        while (found := await asking.get(batch))["request_counts"] | counts != found["request_counts"]:
            await asyncio.sleep(0.005)
    return found
