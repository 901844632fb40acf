"""What a call of an MCP tool costs through us, beside the official client that calls the same server itself.

Run: `.venv/bin/python -m scripts.bench.mcp [--rounds N] [--calls N]`. The server is the official SDK's, in a process of
its own, one of each generation. Rounds of both ways alternate; printed are medians over all calls of a kind, in
milliseconds. Then the tools of ten connectors are listed, whose lists are kept: the rounds that this costs upstream.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from runtime.apis.connectors.protocol import CallServerToolRequest, ConnectorRequest
from runtime.config.loading import parse_run_config
from runtime.stack.plan import plan
from runtime.stack.stack import Stack

MOST_MORE_MS = 5.0
CONNECTORS = 10
_ARGUMENTS = {"a": 1, "b": 2}
Call = Callable[[], Awaitable[Any]]


def serve(port: int, newest: bool) -> None:
    """The server, which counts what it is asked: `GET /count`."""
    import uvicorn
    from mcp.server import MCPServer
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response

    made = MCPServer("bench", log_level="CRITICAL")
    count = 0

    @made.tool()
    async def add(a: int, b: int) -> int:
        return a + b

    app = made.streamable_http_app()

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        nonlocal count
        if scope["type"] == "http" and scope["path"] == "/count":
            await JSONResponse(count)(scope, receive, send)
            return
        if scope["type"] == "http" and scope["method"] == "POST":
            count += 1
            body = await Request(scope, receive).body()
            if not newest and b'"server/discover"' in body:
                await Response(status_code=400)(scope, receive, send)
                return
            given = [{"type": "http.request", "body": body, "more_body": False}]
            inner = receive

            async def again() -> Any:
                return given.pop() if given else await inner()

            await app(scope, again, send)
            return
        await app(scope, receive, send)

    uvicorn.run(counted, host="127.0.0.1", port=port, log_level="critical")


@asynccontextmanager
async def server(*, newest: bool) -> AsyncIterator[str]:
    """Its address, while it runs in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = (sys.executable, "-m", "scripts.bench.mcp", "--serve", str(port), str(int(newest)))
    process = await asyncio.create_subprocess_exec(*command)
    try:
        async with httpx2.AsyncClient() as client, asyncio.timeout(60):
            while True:
                with contextlib.suppress(httpx2.TransportError):
                    await client.get(f"http://127.0.0.1:{port}/count")
                    break
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def stack(url: str) -> AsyncIterator[Any]:
    """The routed connectors of a stack that has ten of them, all of one server."""
    document = {
        "version": 2,
        "distro_name": "bench",
        "apis": ["connectors"],
        "connectors": [{"connector_id": f"c{place}", "url": f"{url}/mcp"} for place in range(CONNECTORS)],
        "storage": {"backends": {"kv_default": {"type": "kv_memory"}}},
    }
    run = parse_run_config(json.dumps(document), env={})
    with tempfile.TemporaryDirectory() as folder:
        opened = Stack(plan(run), run, state_dir=Path(folder))
        await opened.open()
        try:
            opened.start()
            await opened.settled.wait()
            yield opened.api("connectors")
        finally:
            await opened.close()


async def timed(call: Call, calls: int) -> list[float]:
    """Milliseconds of each call."""
    found = []
    for _ in range(calls):
        began = time.perf_counter()
        await call()
        found.append((time.perf_counter() - began) * 1000)
    return found


async def compare(url: str, name: str, *, rounds: int, calls: int) -> bool:
    """Prints both ways. Returns whether ours costs little enough more."""
    from mcp import Client

    async with Client(f"{url}/mcp") as client, stack(url) as connectors:
        request = CallServerToolRequest(connector_id="c0", tool_name="add", arguments=_ARGUMENTS)
        ways: dict[str, Call] = {
            "directly": lambda: client.call_tool("add", _ARGUMENTS),
            "ours": lambda: connectors.call_server_tool(request),
        }
        found: dict[str, list[float]] = {way: [] for way in ways}
        for way in ways:
            await timed(ways[way], 20)
        for _ in range(rounds):
            for way, call in ways.items():
                found[way] += await timed(call, calls)
        middle = {way: statistics.median(times) for way, times in found.items()}
        late = {way: statistics.quantiles(times, n=100)[98] for way, times in found.items()}
        more = middle["ours"] - middle["directly"]
        for way in ways:
            print(f"{name}, {way}: {middle[way]:.2f} ms, p99 {late[way]:.2f} ms")
        print(f"{name}: {more:+.2f} ms more, at most {MOST_MORE_MS:g}")
        return more <= MOST_MORE_MS


async def list_ten(url: str) -> bool:
    """Prints what listing costs. Returns whether it costs one round at most."""
    async with stack(url) as connectors, httpx2.AsyncClient() as client:

        async def listed() -> None:
            requests = [ConnectorRequest(connector_id=f"c{place}") for place in range(CONNECTORS)]
            await asyncio.gather(*(connectors.list_connector_tools(request) for request in requests))

        async def asked() -> int:
            return int((await client.get(f"{url}/count")).json())

        await listed()
        before = await asked()
        times = await timed(listed, 20)
        rounds = (await asked()) - before
        took = statistics.median(times)
        print(f"the tools of {CONNECTORS} connectors, kept: {took:.2f} ms, {rounds} rounds in 20 times")
        return rounds <= 20


async def main(rounds: int, calls: int) -> bool:
    logging.getLogger("httpx2").setLevel(logging.CRITICAL)
    good = []
    for newest, name in ((True, "2026-07-28"), (False, "2025-11-25")):
        async with server(newest=newest) as url:
            good.append(await compare(url, name, rounds=rounds, calls=calls))
            good.append(await list_ten(url))
    return all(good)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--serve", nargs=2, type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve[0], bool(given.serve[1]))
    elif not asyncio.run(main(given.rounds, given.calls)):
        sys.exit(1)
