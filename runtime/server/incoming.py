"""What comes in with a request: its body, and the news that the client has left. The one reader of ASGI's `receive`.

Two readers would take each other's messages: whoever watched for a disconnection would eat an upload. So the body is
read through here, whole or as it arrives; once `left` listens, it reads, one message ahead of what is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import IO, Any, TypeVar

from litestar.types import HTTPScope, Receive

from runtime.errors import TooLarge

F = TypeVar("F", bound=IO[bytes])
_LONGEST_LENGTH = 19
"""Digits of a length that are looked at; more are beyond any limit anyway."""


class ClientLeft(Exception):
    """The client went away before its request was complete; there is nobody to answer."""


class Incoming:
    """The body of one request, as it was sent. limit: the most bytes it may have.

    headers: lower-case names; the last value of one that was sent more than once. announced_bytes: how long the body
    is, None where the request does not say.
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
        """All of it. Raises TooLarge, and ClientLeft where it does not come to its end."""
        parts = [part async for part in self.chunks()]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, read no faster than it is asked for.

        Raises TooLarge before too much was read, ClientLeft where the rest will never come.
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
        """Waits until the client has gone, or the answer is complete. From this call on, what is left of the body comes
        through it; nobody may be waiting in `chunks` yet.

        Where much of a body is not read, what follows it is not seen either: that is what holds its sender up.
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
        """Have a file closed with the request."""
        self._files.append(file)
        return file

    def release(self) -> None:
        """The request is over: nothing of it is read any more."""
        for file in self._files:
            file.close()

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The request body is larger than {self.limit} bytes")


def _content_length(headers: Mapping[bytes, bytes]) -> int | None:
    value = headers.get(b"content-length", b"")
    return int(value[:_LONGEST_LENGTH]) if value.isdigit() else None
