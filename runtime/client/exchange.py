"""One request that an application of this process answers. No socket, and no library of a client.

The application runs on its event loop; whoever reads the answer may be in another thread. The two share the messages
that `put` takes, and how many bytes of the body have been read: an application that is far ahead of its reader waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from runtime.server.leaving import EXTENSION, Connection

Headers = Sequence[tuple[bytes, bytes]]
_MOST_UNREAD_BYTES = 256 * 1024
"""About what the buffers of a connection hold."""
_LEAVING_S = 5.0


@dataclass(frozen=True, slots=True)
class Start:
    """The answer begins."""

    status: int
    headers: Headers


@dataclass(frozen=True, slots=True)
class End:
    """No more comes. failure: of the application; None where it has merely returned. is_whole: whether the answer is
    complete. of_body: the failure is that of the request's own body.
    """

    is_whole: bool = True
    failure: BaseException | None = None
    of_body: bool = False


Message = Start | bytes | End


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. target: path and query as sent. headers: with their names in any case. body: bytes, or the parts."""

    method: str
    target: bytes
    headers: Headers
    body: bytes | AsyncIterator[bytes]

    def scope(self, connection: Connection) -> dict[str, Any]:
        """The request for an ASGI application."""
        path, _, query = self.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": unquote_to_bytes(path).decode("utf-8", "replace"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in self.headers],
            "client": None,
            "server": None,
            "state": {},
            "extensions": {EXTENSION: {"connection": connection}},
        }


class Exchange:
    """A request and its answer. Made and used on the application's event loop, but for `took` and `leave_soon`, which
    any thread may call.

    app: an ASGI application. put: takes what comes; called on the event loop. on_end: called when the application has
    returned.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        asked: Asked,
        put: Callable[[Message], None],
        on_end: Callable[[Exchange], None],
    ) -> None:
        self._put = put
        self._on_end = on_end
        self._body = asked.body
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._taking: asyncio.Task[None] | None = None
        self._is_sent = self._is_waiting = self._is_cut_short = False
        self._connection = Connection()
        self._left = asyncio.Event()
        self._room = asyncio.Event()
        self._is_full = self._is_unlimited = False
        self._put_bytes = self._taken_bytes = 0
        self._start: Start | None = None
        self._has_started = self._is_over = False
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(app, asked.scope(self._connection)))

    def took(self, size: int) -> None:
        """So many bytes of the body have been read."""
        self._taken_bytes += size
        if self._is_full and self._put_bytes - self._taken_bytes <= _MOST_UNREAD_BYTES:
            self._soon(self._room.set)

    def leave_soon(self) -> None:
        """Nobody reads the answer any more. Does nothing where it is complete."""
        if not self._is_over:
            self._soon(self.signal_left)

    def signal_left(self) -> None:
        """As a client that closes its connection."""
        if not self._is_over:
            self.lift_limit()
            self._left.set()
            self._connection.end()
            self._stop_taking()

    async def leave(self) -> None:
        """Leave, and wait until the application has ended what it did for this request; not for ever, since whoever
        leaves a server does not wait at all.
        """
        self.signal_left()
        await asyncio.wait({self._task}, timeout=_LEAVING_S)

    def lift_limit(self) -> None:
        """The application no longer waits for the reader."""
        self._is_unlimited = True
        self._room.set()

    def end_unsent(self) -> None:
        """Cancel an application that waits for the rest of the request itself, and so has not begun to do what it asks
        for; now or when it comes to that.
        """
        self._is_cut_short = True
        if self._is_waiting:
            self._task.cancel()

    def cut_off(self) -> None:
        """Cancel what does not end by itself."""
        self._task.cancel()

    @property
    def task(self) -> asyncio.Task[None]:
        return self._task

    def _soon(self, call: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:  # the loop is closed, and with it everything has ended
            self._is_over = True

    async def _run(self, app: Callable[..., Awaitable[None]], scope: Mapping[str, Any]) -> None:
        end = End(is_whole=False)
        try:
            await app(scope, self._receive, self._send)
        except BaseException as error:
            end = End(is_whole=False, failure=error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._stop_taking()
            self._finish(end)
            self._on_end(self)

    def _finish(self, end: End) -> None:
        """Tell the reader that this is all; only the first time."""
        self._flush_start()
        if not self._is_over:
            self._is_over = True
            self._put(end)

    async def _receive(self) -> dict[str, Any]:
        if self._is_sent or self._left.is_set():
            await self._left.wait()
            return {"type": "http.disconnect"}
        if isinstance(self._body, bytes):
            self._is_sent = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        if self._taking is None:
            self._taking = self._loop.create_task(self._take(self._body))
        is_own = asyncio.current_task() is self._task  # else the request has been begun, which is told in other ways
        if is_own and self._is_cut_short:
            self._task.cancel()
        self._is_waiting = is_own
        try:
            part = await self._parts.get()
        finally:
            self._is_waiting = False
        if part is None and self._left.is_set():
            return {"type": "http.disconnect"}
        self._is_sent = part is None
        return {"type": "http.request", "body": part or b"", "more_body": part is not None}

    async def _take(self, body: AsyncIterator[bytes]) -> None:
        """Take the body's parts in a task of their own: an application whose client leaves does not wait for one."""
        try:
            async for part in body:
                await self._parts.put(part)
            await self._parts.put(None)
        except Exception as error:  # the caller's own: it gets that, and the application an incomplete request
            self._finish(End(is_whole=False, failure=error, of_body=True))
            self._left.set()
        finally:
            if self._parts.empty():
                self._parts.put_nowait(None)  # wakes up an application that waits for a part

    def _stop_taking(self) -> None:
        if self._taking is not None:
            self._taking.cancel()

    async def _send(self, message: Mapping[str, Any]) -> None:
        if self._is_over or self._left.is_set():
            return  # as to a connection that is closed
        if message["type"] == "http.response.start":
            self._start = Start(message["status"], list(message.get("headers", ())))
            # With the first bytes, which follow at once for most answers, the reader wakes up once, not twice.
            self._loop.call_soon(self._flush_start)
            return
        self._flush_start()
        body: bytes = message.get("body", b"")
        if body:
            self._put_bytes += len(body)
            self._put(body)
        if not message.get("more_body", False):
            self._finish(End())
        elif body:
            await self._wait_for_room()

    def _flush_start(self) -> None:
        start, self._start = self._start, None
        if start is not None and not self._is_over:
            self._put(start)

    async def _wait_for_room(self) -> None:
        """The flag is set before the count is read again: the reader counts first and then looks at the flag."""
        while not self._is_unlimited and self._put_bytes - self._taken_bytes > _MOST_UNREAD_BYTES:
            self._room.clear()
            self._is_full = True
            if self._put_bytes - self._taken_bytes > _MOST_UNREAD_BYTES:
                await self._room.wait()
            self._is_full = False
