"""Reads a request's body, and notices when the client leaves. Nothing else calls ASGI's `receive`.

Two readers would take each other's messages: one that waits for the disconnection would consume parts of an upload. So
the body is read here, whole or as it arrives. After `when_left` was called, it reads, one message ahead of `chunks`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import IO, Any, TypeVar

from runtime.context import current
from runtime.errors import TooLarge
from runtime.server.asgi import Receive
from runtime.server.leaving import Connection, Watch

F = TypeVar("F", bound=IO[bytes])
_LONGEST_LENGTH = 19
"""Only so many digits of a length are read; a longer one is above every limit."""


class ClientLeft(Exception):
    """The client left before its request was complete, so no answer can be sent."""


class Incoming:
    """The body of one request, as it was sent. limit: the most bytes it may have.

    headers: names in lower case; the last value of a repeated header. announced_bytes: the length of the body, None if
    the request does not say; read_bytes: how many have been read. connection: None if the server is not our own.
    """

    def __init__(
        self,
        headers: Mapping[bytes, bytes],
        receive: Receive,
        *,
        limit: int,
        connection: Connection | None = None,
    ) -> None:
        self._receive = receive
        self._connection = connection
        self.limit = limit
        self.headers = headers
        self.announced_bytes = _content_length(headers)
        self._is_complete = False
        self.read_bytes = 0
        self._files: list[IO[bytes]] = []
        self._ahead: asyncio.Queue[Any] | None = None

    async def skip(self) -> None:
        """Read the body of a request that needs none. Raises as `body` does."""
        if self.announced_bytes or b"transfer-encoding" in self.headers:
            await self.body()
        self._is_complete = True  # RFC 9112, 6.3: without these headers there is no body

    async def body(self) -> bytes:
        """The whole body. Raises TooLarge, and ClientLeft if it is incomplete."""
        parts = [await self._next_part()]
        while not self._is_complete:
            parts.append(await self._next_part())
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; read only as fast as the caller iterates.

        Raises TooLarge before it reads more than the limit, ClientLeft if the client leaves before the end.
        """
        while not self._is_complete:
            if part := await self._next_part():
                yield part

    async def _next_part(self) -> bytes:
        """May be empty. Raises TooLarge and ClientLeft. The time that the client takes is not part of the request's."""
        if self._is_complete:
            return b""
        if (self.announced_bytes or 0) > self.limit:
            raise self._too_large()
        began = time.perf_counter()
        message: Any = await (self._receive() if self._ahead is None else self._ahead.get())
        current().timing.client_took(time.perf_counter() - began)
        if message["type"] == "http.disconnect":
            raise ClientLeft
        part: bytes = message["body"]
        self.read_bytes += len(part)
        if self.read_bytes > self.limit:
            raise self._too_large()
        self._is_complete = not message["more_body"]
        return part

    def when_left(self, on_left: Callable[[], None]) -> Callable[[], None]:
        """Call `on_left` once the client has left, or has the whole answer. The returned function ends that. From this
        call on, the rest of the body is received for `chunks`, which must not be waiting at the time of the call.

        While the body is not read, a disconnection is not noticed: nothing is received, which slows down the sender.
        """
        if self._is_complete and self._connection is not None:
            return self._connection.call_at_end(on_left)
        if not self._is_complete:
            self._ahead = asyncio.Queue(1)
        return Watch(self._left, on_left).end

    async def _left(self) -> None:
        while (message := await self._receive())["type"] != "http.disconnect":
            if self._ahead is not None:
                await self._ahead.put(message)
        if self._ahead is not None and self._ahead.empty():
            self._ahead.put_nowait(message)

    def keep(self, file: F) -> F:
        """Close this file at the end of the request."""
        self._files.append(file)
        return file

    def release(self) -> None:
        """The request is over: close its files."""
        for file in self._files:
            file.close()

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The request body is larger than {self.limit} bytes")


def _content_length(headers: Mapping[bytes, bytes]) -> int | None:
    value = headers.get(b"content-length", b"")
    return int(value[:_LONGEST_LENGTH]) if value.isdigit() else None
