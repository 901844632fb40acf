"""Sends a body in parts: checks its size, notices when a server stops reading it, and closes its source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Self

import aiohttp

from runtime.errors import StackError
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing, close_parts

_PART_BYTES = 64 * 1024


class BodyParts:
    """An iterator over the parts of a body, which can be sent once; a large body of bytes is cut into parts.

    failure: the error of the source, or that its size differs from the announced one. limit: the timeout of the call,
    moved on with each part that the server reads. headers: to send with the body. until: when the call must end, by the
    event loop's clock. is_sent: whether the last part was sent.
    """

    def __init__(self, request: Outgoing, timeouts: Timeouts, until: float | None) -> None:
        self.failure: Exception | None = None
        self.is_sent = False
        self.limit: asyncio.Timeout | None = None
        self._body = b"" if request.body is None else request.body
        self._parts = _cut(self._body) if isinstance(self._body, bytes) else aiter(self._body)
        self._size = len(self._body) if isinstance(self._body, bytes) else request.size
        self._timeouts = timeouts
        self._until = until
        self._sent = 0
        self._sender: asyncio.Task[object] | None = None
        self._report: Callable[[Exception], None] | None = None
        self._has_begun = False
        self.headers: Mapping[str, str] = request.headers
        if self._size is not None:
            self.headers = {**request.headers, "content-length": str(self._size)}

    def __aiter__(self) -> Self:
        if self._has_begun:
            # aiohttp would send a PUT again over another connection, but its parts are gone.
            raise aiohttp.ServerDisconnectedError
        self._has_begun = True
        return self

    async def __anext__(self) -> bytes:
        self._sender = asyncio.current_task()
        self._expect(None)  # no limit while we wait for the source
        try:
            part = await anext(self._parts, None)
            self._sent += len(part or b"")
            if self._size is not None and (self._sent > self._size or (part is None and self._sent < self._size)):
                raise BodySizeWrong(f"a body of {self._size} bytes was announced, and {self._sent} or more were given")
        except Exception as error:
            self.failure = error
            if self._report is not None:
                self._report(error)
            raise
        if part is None:
            self.is_sent = True
            self._expect(self._timeouts.first_byte_s or self._timeouts.read_s)
            raise StopAsyncIteration
        self._expect(self._timeouts.read_s)
        await asyncio.sleep(0)  # read an answer that has already arrived before sending more
        return part

    def on_failure(self, report: Callable[[Exception], None]) -> None:
        """Call `report` with the failure, now or later: an answer may begin before the body was sent."""
        self._report = report
        if self.failure is not None:
            report(self.failure)

    async def close(self) -> None:
        """Stop sending, and close the source of the parts, also before its end. Whoever is told of a failure is let go:
        it may hold this, and with it the body, which would stay in memory until somebody looks for such circles.
        """
        self._report = None
        sender = self._sender
        if sender is not None and not sender.done() and sender is not asyncio.current_task():
            sender.cancel()
            await asyncio.wait({sender})
        await close_parts(self._parts)
        await close_parts(self._body)

    def _expect(self, within_s: float | None) -> None:
        """Let the limit end the call if nothing happens within this time; None waits without a limit."""
        if self.limit is None:  # the answer has already begun
            return
        at = self._until
        if within_s is not None:
            silent_at = asyncio.get_running_loop().time() + within_s
            at = silent_at if at is None else min(at, silent_at)
        self.limit.reschedule(at)


async def _cut(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), _PART_BYTES):
        yield body[at : at + _PART_BYTES]


class BodySizeWrong(StackError):
    """A request announced another size than its body has: a bug of ours, or an upload that ended early."""
