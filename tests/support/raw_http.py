"""A server of ours on a socket of this process, and bytes to and from it: for what no HTTP client would send."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import uvicorn.server

from runtime.config.sections import ServerConfig
from runtime.server.ongoing import Ongoing
from runtime.server.serving import Server

LIMIT_S = 20.0
_LOOKS_S = 0.005
"""How often a server looks whether it is to end, and whether its connections have."""


class _Soon:
    """asyncio for uvicorn, which looks ten times a second whether a server is to end: 0.2 s of each test with one."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(min(delay_s, _LOOKS_S))


@dataclass(frozen=True)
class Answer:
    """One answer as it came. headers: lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Connection:
    """One connection to a server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> Answer:
        """The next answer, which has a length; interim ones are passed over."""
        async with asyncio.timeout(LIMIT_S):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            status = int(lines[0].split(" ")[1])
            if status == 100:
                return await self.answer()
            pairs = (line.split(": ", 1) for line in lines[1:] if line)
            headers = {name.lower(): value for name, value in pairs}
            return Answer(status, headers, await self.reader.readexactly(int(headers["content-length"])))

    async def ended(self) -> bytes:
        """What comes until the server closes."""
        async with asyncio.timeout(LIMIT_S):
            return await self.reader.read()


@dataclass(frozen=True)
class Listening:
    """A server that runs. ongoing: what it serves. ended: its task."""

    port: int
    server: Server
    ongoing: Ongoing
    ended: asyncio.Task[None]

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Connection(reader, writer)
        finally:
            writer.transport.abort()


@asynccontextmanager
async def listening(
    app: Any,
    config: ServerConfig | None = None,
    *,
    timeout_s: float | None = None,
    drain_timeout_s: float = 1,
    on_drain: Callable[[str], None] = lambda reason: None,
) -> AsyncIterator[Listening]:
    """A server of an application on a port of its own. timeout_s: how long it waits for a silent client."""
    # With the protocol named, asyncio sends at once, as uvloop always does: an answer would else take 40 ms.
    with (
        mock.patch.object(uvicorn.server, "asyncio", _Soon()),
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as taken,
    ):
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        taken.setblocking(False)
        ongoing: Ongoing = getattr(app, "ongoing", Ongoing())
        server = Server(
            app, config or ServerConfig(), ongoing=ongoing, drain_timeout_s=drain_timeout_s, on_drain=on_drain
        )
        if timeout_s is not None:
            server.config.timeout_keep_alive = timeout_s  # type: ignore[assignment]  # as exact as asyncio's timers
        running = asyncio.create_task(server.serve(sockets=[taken]))
        async with asyncio.timeout(LIMIT_S):
            await server.answering.wait()
        try:
            yield Listening(taken.getsockname()[1], server, ongoing, running)
        finally:
            server.should_exit = True
            async with asyncio.timeout(LIMIT_S):
                await running
