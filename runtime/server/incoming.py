"""Reads a request's body, and notices when the client leaves. Nothing else calls ASGI's `receive`.

Two readers would take each other's messages: one that waits for the disconnection would consume parts of an upload. So
the body is read here, whole or as it arrives. After `left` was called, it reads, one message ahead of `chunks`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import IO, Any, TypeVar

from litestar.types import HTTPScope, Receive

from runtime.errors import TooLarge

F = TypeVar("F", bound=IO[bytes])
_LONGEST_LENGTH = 19
"""Only so many digits of a length are read; a longer one is above every limit."""


class ClientLeft(Exception):
    """The client left before its request was complete, so no answer can be sent."""


async def end_pump(pump: asyncio.Task[None], watch: asyncio.Task[None]) -> None:
    """End what sends an answer, with every `finally` below it, and what watches for the client to leave.

    Raises what the pump raised, unless its client has left.
    """
    watch.cancel()
    pump.cancel()
    with contextlib.suppress(asyncio.CancelledError, ClientLeft):
        await pump


class Incoming:
    """The body of one request, as it was sent. limit: the most bytes it may have.

    headers: names in lower case; the last value of a repeated header. announced_bytes: the length of the body, None if
    the request does not say.
    """

    def __init__(self, scope: HTTPScope, receive: Receive, *, limit: int) -> None:
        self._receive = receive
        self.limit = limit
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self.announced_bytes = _content_length(self.headers)
        self._complete = asyncio.Event()
        self._files: list[IO[bytes]] = []
        self._ahead: asyncio.Queue[Any] | None = None

    async def body(self) -> bytes:
        """The whole body. Raises TooLarge, and ClientLeft if it is incomplete."""
        parts = [part async for part in self.chunks()]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; read only as fast as the caller iterates.

        Raises TooLarge before it reads more than the limit, ClientLeft if the client leaves before the end.
        """
        if (self.announced_bytes or 0) > self.limit:
            raise self._too_large()
        size = 0
        while not self._complete.is_set():
            message: Any = await (self._receive() if self._ahead is None else self._ahead.get())
            if message["type"] == "http.disconnect":
                raise ClientLeft
            part = message["body"]
            size += len(part)
            if size > self.limit:
                raise self._too_large()
            if not message["more_body"]:
                self._complete.set()
            if part:
                yield part

    def left(self) -> Coroutine[Any, Any, None]:
        """Waits until the client has left, or the answer is complete. From this call on, it receives the rest of the
        body for `chunks`, which must not be waiting at the time of the call.

        While the body is not read, a disconnection is not noticed: nothing is received, which slows down the sender.
        """
        if not self._complete.is_set():
            self._ahead = asyncio.Queue(1)
        return self._watch()

    async def _watch(self) -> None:
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
