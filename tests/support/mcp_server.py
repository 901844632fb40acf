"""A real MCP server in this process: the official SDK's, over HTTP on a port of this machine, which notes what it is
asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Image
from mcp.server.mcpserver.exceptions import ToolError

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


@dataclass
class Seen:
    """One request. method: of the JSON-RPC message in it, or of HTTP."""

    method: str
    headers: dict[str, str]


@dataclass
class RunningMcp:
    """A server. asked: what it was asked, in order. ran: the tools that ran, as often as they did. cancelled: set when
    the slow tool was cancelled. wants: the `authorization` that it asks for; None for none. status: what it answers
    everything with, 0 for what is right.
    """

    url: str
    port: int
    asked: list[Seen] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    wants: str | None = None
    status: int = 0
    open_streams: int = 0

    def times(self, method: str) -> int:
        """How often it was asked this."""
        return sum(one.method == method for one in self.asked)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def mcp_server(
    *, newest: bool = True, sse: bool = False, port: int = 0, name: str = "llamas", made: Any = None
) -> AsyncIterator[RunningMcp]:
    """newest: whether it speaks 2026-07-28 too, or only the generation before. sse: over SSE instead of streamable
    HTTP. name: what it calls itself. made: another of the SDK's servers than the one with tools for tests.
    """
    running = RunningMcp(url="", port=port or free_port())
    running.url = f"http://127.0.0.1:{running.port}/{'sse' if sse else 'mcp'}"
    made = made or _server(running, name)
    app = made.sse_app() if sse else made.streamable_http_app()
    config = uvicorn.Config(
        _noted(app, running, newest=newest), host="127.0.0.1", port=running.port, log_level="critical", lifespan="on",
        timeout_graceful_shutdown=0,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server._serve())
    async with asyncio.timeout(20):
        while not server.started:
            await asyncio.wait([serving], timeout=0.005)
    try:
        yield running
    finally:
        server.should_exit = True
        with warnings.catch_warnings(), contextlib.suppress(asyncio.CancelledError):
            warnings.simplefilter("ignore", ResourceWarning)  # the SDK's server does not close all that a client left
            await serving
            async with asyncio.timeout(10):
                while running.open_streams:
                    await asyncio.sleep(0.005)
            gc.collect()


def _server(running: RunningMcp, name: str) -> MCPServer:
    made = MCPServer(name, version="1.2.3", log_level="CRITICAL")

    @made.tool(description="Adds two numbers.")
    async def add(a: int, b: int) -> int:
        running.ran.append("add")
        return a + b

    @made.tool(description="Gives a picture.")
    async def picture() -> list[str | Image]:
        return ["a llama", Image(data=PIXEL, format="png")]

    @made.tool(description="Always fails.")
    async def fails() -> str:
        raise ToolError("the llama is asleep")

    @made.tool(description="Takes long.")
    async def slow() -> str:
        running.ran.append("slow")
        running.started.set()
        try:
            await anyio.sleep(30)
        except BaseException:
            running.cancelled.set()
            raise
        return "done"

    @made.tool(description="Says much.")
    async def long(size: int) -> str:
        return "a" * size

    @made.tool(description="Says what it was sent.")
    async def headers(context: Context) -> str:
        request = context.request_context.request
        return json.dumps(dict(request.headers) if request is not None else {})

    @made.tool(description="Gets another tool.")
    async def grow(context: Context) -> str:
        made.add_tool(_grown, name="grown", description="Was not there before.")
        await context.notify_tools_changed()
        with contextlib.suppress(Exception):  # the older generation's way
            await context.request_context.session.send_tool_list_changed()
        return "grown"

    return made


async def _grown() -> str:
    return "here"


def _noted(app: Any, running: RunningMcp, *, newest: bool) -> Any:
    """The app, whose requests are noted, and which can be told to refuse them."""

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        body, more = b"", True
        while more and scope["method"] == "POST":
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        method = scope["method"]
        if body:
            method = json.loads(body).get("method", "answer")
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        running.asked.append(Seen(method, headers))
        status = running.status
        if running.wants is not None and headers.get("authorization") != running.wants:
            status = 401
        if method == "server/discover" and not newest:
            status = status or 400
        if status:
            await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        given = [{"type": "http.request", "body": body, "more_body": False}] if scope["method"] == "POST" else []

        async def again() -> Any:
            return given.pop() if given else await receive()

        running.open_streams += 1
        try:
            await app(scope, again, send)
        finally:
            running.open_streams -= 1

    return noted
