"""A port of this machine, behind which a stack in this process answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from runtime.conformance.asgi import Client
from runtime.stack.instance import HEADER


class Door:
    """A port of this machine behind which a stack is put later: its address must be known before it is made."""

    def __init__(self) -> None:
        self.url = ""
        self.client: Client | None = None
        self.asked = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if self.client is None:
            return web.Response(status=503)
        headers: Mapping[str, str] = {"content-type": request.content_type}
        answer = await self.client.request(request.method, request.path, body=await request.read(), headers=headers)
        return web.Response(
            status=answer.status, body=answer.body, headers={HEADER: answer.headers[HEADER]},
            content_type="application/json",
        )  # fmt: skip


@asynccontextmanager
async def door() -> AsyncIterator[Door]:
    made = Door()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}/v1"
    try:
        yield made
    finally:
        await runner.cleanup()
