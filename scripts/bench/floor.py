"""The floor: the least that Litestar, aiohttp and uvicorn (uvloop, httptools) can do, bytes passed through unseen.

Run: `python -m scripts.bench.floor UPSTREAM_URL` binds a free loopback port and prints it. It validates nothing, routes
nothing and logs nothing, so a gateway on the same libraries can come near it and not below.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn
from litestar import Litestar, Request, Response, get, post
from litestar.response import Stream

_LIMIT = 64 * 1024 * 1024


def make_app(upstream: str) -> Litestar:
    sessions: list[aiohttp.ClientSession] = []

    @asynccontextmanager
    async def life(_: Litestar) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=256 * 1024,
        ) as session:
            sessions.append(session)
            models.append(await (await session.get(f"{upstream}/models")).read())
            yield

    models: list[bytes] = []

    async def forward(path: str, request: Request[Any, Any, Any]) -> Response[Any]:
        answer = await sessions[0].post(
            f"{upstream}{path}",
            data=await request.body(),
            headers={"content-type": "application/json", "authorization": "Bearer x"},
        )
        if answer.content_type == "text/event-stream":
            return Stream(_chunks(answer), media_type="text/event-stream")
        return Response(await answer.read(), media_type="application/json")

    @post("/v1/chat/completions", status_code=200, request_max_body_size=_LIMIT)
    async def chat(request: Request[Any, Any, Any]) -> Response[Any]:
        return await forward("/chat/completions", request)

    @post("/v1/embeddings", status_code=200, request_max_body_size=_LIMIT)
    async def embeddings(request: Request[Any, Any, Any]) -> Response[Any]:
        return await forward("/embeddings", request)

    @get("/v1/models")
    async def list_models(request: Request[Any, Any, Any]) -> Response[bytes]:
        return Response(models[0], media_type="application/json")

    return Litestar([chat, embeddings, list_models], lifespan=[life], logging_config=None, openapi_config=None)


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        while data := await answer.content.readany():
            yield data
    finally:
        answer.close()


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(
        make_app(sys.argv[1]), loop="uvloop", http="httptools", ws="none", log_config=None, access_log=False
    )
    asyncio.Runner(loop_factory=config.get_loop_factory()).run(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
