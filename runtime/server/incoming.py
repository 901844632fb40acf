"""What comes in with a request: its body, and the news that the client has left. The one reader of ASGI's `receive`.

Two readers would take each other's messages: whoever watched for a disconnection would eat an upload. So the body is
read through here, whole or as it arrives, and `left` begins to listen only when the body is complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from litestar.types import HTTPReceiveMessage, HTTPScope, Receive

from runtime.errors import TooLarge


class ClientLeft(Exception):
    """The client went away before its request was complete; there is nobody to answer."""


class Incoming:
    """The body of one request. limit: the most bytes it may have."""

    def __init__(self, scope: HTTPScope, receive: Receive, *, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._announced = _content_length(scope)
        self._complete = asyncio.Event()

    async def body(self) -> bytes:
        """All of it. Raises TooLarge, and ClientLeft where it does not come to its end."""
        parts = [part async for part in self.chunks()]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, read no faster than it is asked for. Raises TooLarge before too much was read."""
        if self._announced > self._limit:
            raise self._too_large()
        size = 0
        while not self._complete.is_set():
            message: HTTPReceiveMessage = await self._receive()  # type: ignore[assignment]  # a request is no WebSocket
            if message["type"] == "http.disconnect":
                raise ClientLeft
            part = message["body"]
            size += len(part)
            if size > self._limit:
                raise self._too_large()
            if not message["more_body"]:
                self._complete.set()
            if part:
                yield part

    async def left(self) -> None:
        """Returns when the client has gone, or the answer is complete."""
        await self._complete.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The request body is larger than {self._limit} bytes")


def _content_length(scope: HTTPScope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
