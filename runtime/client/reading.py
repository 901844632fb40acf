"""The reader's side of an exchange: in a thread of its own, or on the application's event loop.

Both raise `TimeoutError` where nothing came in time, `Broken` where the application ended without a whole answer, and
what the caller's own body raised.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator

from runtime.client.exchange import Exchange, Message, Start
from runtime.client.inbox import Inbox

_Told = Message | asyncio.Future[bytes | None]
"""What a reader is told: a message, or that a part of the request's body is wanted."""


class Broken(Exception):
    """The application has ended, and its answer is not whole. Its failure is the cause."""


class ThreadReading:
    """For a thread that may wait. exchange: is there before the first message. parts: of the request's body, made in
    this thread too, each when the application wants it.
    """

    def __init__(self, inbox: Inbox[_Told], parts: Iterator[bytes] | None = None) -> None:
        self.exchange: Exchange | None = None
        self._parts = iter(()) if parts is None else parts
        self._inbox = inbox
        self._read: deque[_Told] = deque()
        self._unsaid: list[_Told] = []

    def put(self, message: _Told) -> None:
        """Called on the application's event loop. What comes in one turn of that is told together, at its end: a thread
        that wakes up before would only wait until the loop rests.
        """
        if not self._unsaid:
            asyncio.get_running_loop().call_soon(self._tell)
        self._unsaid.append(message)

    def leave(self) -> None:
        """Called on the application's event loop: nobody reads the answer any more."""
        if self.exchange is not None:
            self.exchange.signal_left()

    def _tell(self) -> None:
        told, self._unsaid = self._unsaid, []
        self._inbox.put(told)

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body for the application, on its event loop."""
        while True:
            wanted: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
            self.put(wanted)
            if (part := await wanted) is None:
                return
            yield part

    def next(self, timeout_s: float | None) -> Start | bytes | None:
        """The next message; None at the end of a whole answer. Raises TimeoutError, and what the module says."""
        while True:
            if not self._read:
                self._read.extend(self._inbox.get(timeout_s))
            message = self._read.popleft()
            if not isinstance(message, asyncio.Future):
                return _told(message, self.exchange)
            if not message.done():  # else the application has ended without it
                part = next(self._parts, None)
                with contextlib.suppress(RuntimeError):  # the loop is closed; how the answer ends has been put
                    message.get_loop().call_soon_threadsafe(_give, message, part)


class LoopReading:
    """For a task on the application's own event loop. exchange: is there before the first message."""

    def __init__(self) -> None:
        self.exchange: Exchange | None = None
        self._messages: deque[Message] = deque()
        self._waiting: asyncio.Future[None] | None = None

    def put(self, message: Message) -> None:
        self._messages.append(message)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def next(self, timeout_s: float | None) -> Start | bytes | None:
        """The next message; None at the end of a whole answer. Raises TimeoutError, and what the module says."""
        if not self._messages:
            self._waiting = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(timeout_s):
                await self._waiting
        return _told(self._messages.popleft(), self.exchange)


def _give(wanted: asyncio.Future[bytes | None], part: bytes | None) -> None:
    if not wanted.done():
        wanted.set_result(part)


def _told(message: Message, exchange: Exchange | None) -> Start | bytes | None:
    if isinstance(message, bytes):
        assert exchange is not None
        exchange.took(len(message))
        return message
    if isinstance(message, Start):
        return message
    if message.of_body and message.failure is not None:
        raise message.failure
    if not message.is_whole:
        raise Broken("the stack ended without a whole answer") from message.failure
    return None
