"""A body that is sent in parts: measured, watched for a server that takes no more of it, and closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Self

import aiohttp

from runtime.errors import StackError
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing, close_parts

_PART_BYTES = 64 * 1024


class Upload:
    """An iterator over the parts of a body, for one sending; a large one is cut into some.

    failure: what their source raised, or that it gave another number of bytes than announced. limit: what ends the
    call, moved on with each part that the server takes. headers: those to send with it. until: when the call ends at
    the latest, by the event loop's clock.
    """

    def __init__(self, request: Outgoing, timeouts: Timeouts, until: float | None) -> None:
        self.failure: Exception | None = None
        self.limit: asyncio.Timeout | None = None
        self._body = b"" if request.body is None else request.body
        self._parts = _cut(self._body) if isinstance(self._body, bytes) else aiter(self._body)
        self._size = len(self._body) if isinstance(self._body, bytes) else request.size
        self._timeouts = timeouts
        self._until = until
        self._sent = 0
        self._sender: asyncio.Task[object] | None = None
        self._tell_failure: Callable[[Exception], None] | None = None
        self._is_begun = False
        self.headers: Mapping[str, str] = request.headers
        if self._size is not None:
            self.headers = {**request.headers, "content-length": str(self._size)}

    def __aiter__(self) -> Self:
        if self._is_begun:
            # aiohttp sends a PUT again over another connection, and its body is gone.
            raise aiohttp.ServerDisconnectedError
        self._is_begun = True
        return self

    async def __anext__(self) -> bytes:
        self._sender = asyncio.current_task()
        self._expect(None)  # for as long as its source takes
        try:
            part = await anext(self._parts, None)
            self._sent += len(part or b"")
            if self._size is not None and (self._sent > self._size or (part is None and self._sent < self._size)):
                raise BodySizeWrong(f"a body of {self._size} bytes was announced, and {self._sent} or more were given")
        except Exception as error:
            self.failure = error
            if self._tell_failure is not None:
                self._tell_failure(error)
            raise
        if part is None:
            self._expect(self._timeouts.first_byte_s or self._timeouts.read_s)
            raise StopAsyncIteration
        self._expect(self._timeouts.read_s)
        await asyncio.sleep(0)  # an answer that has come meanwhile is read before more is sent
        return part

    def when_it_fails(self, tell: Callable[[Exception], None]) -> None:
        """tell: takes the failure, of now or later, where an answer began before the body was sent."""
        self._tell_failure = tell
        if self.failure is not None:
            tell(self.failure)

    async def close(self) -> None:
        """End the sending, and close the source of the parts, whether or not it came to its end."""
        sender = self._sender
        if sender is not None and not sender.done() and sender is not asyncio.current_task():
            sender.cancel()
            await asyncio.wait({sender})
        await close_parts(self._parts)
        await close_parts(self._body)

    def _expect(self, within_s: float | None) -> None:
        """Have the limit end the call when nothing more happens for so long; None waits."""
        if self.limit is None:  # an answer has come, and nobody waits for one any more
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
    """A request announced another size than its body has: a bug of ours, or an upload that was cut short."""
