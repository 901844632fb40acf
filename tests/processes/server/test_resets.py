"""Clients that reset their connection while a long body waits to be read, on each event loop that a server may have."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from runtime.server.inflow import PIECE_BYTES
from tests.support.raw_http import LIMIT_S, listening

pytestmark = pytest.mark.e2e
HEAD = f"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {8 * PIECE_BYTES}\r\n\r\n".encode()


class Reading:
    """Reads a body once the gate is open, and says whether its client has left."""

    def __init__(self) -> None:
        self.gate, self.asked, self.left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        self.asked.set()
        await self.gate.wait()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_connection_that_was_reset_is_noticed_although_much_is_unread(run: Callable[[Any], None]) -> None:
    """uvloop calls a reader only once more after a reset, however much there is to read."""

    async def check() -> None:
        app = Reading()
        async with listening(app) as running, asyncio.timeout(LIMIT_S):
            client = await asyncio.to_thread(socket.create_connection, ("127.0.0.1", running.port))
            client.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(client, HEAD + os.urandom(2 * PIECE_BYTES))
            await app.asked.wait()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            app.gate.set()
            await app.left.wait()

    run(check())
