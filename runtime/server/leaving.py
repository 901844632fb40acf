"""Notices that a client leaves while its answer is made, so that the work for it can end.

Our own HTTP protocol tells it directly (`Connection`). With another server, a task waits for ASGI's `http.disconnect`
(`Watch`), which costs more than all else that a short answer needs from the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

EXTENSION = "llama.connection"
"""The name of our protocol's extension in an ASGI scope: `{"connection": Connection}`."""


class Connection:
    """A client's connection. on_end: called when it ends; the request that is being answered sets this."""

    __slots__ = ("_on_end", "has_ended")

    def __init__(self) -> None:
        self.has_ended = False
        self._on_end: Callable[[], None] | None = None

    def end(self) -> None:
        """Called by the protocol, also more than once: after an invalid request, and when the connection is lost."""
        self.has_ended = True
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end()

    def call_at_end(self, on_end: Callable[[], None]) -> Callable[[], None]:
        """Call `on_end` when the connection ends, soon if it has ended. The returned function takes that back."""
        if self.has_ended:
            return asyncio.get_running_loop().call_soon(on_end).cancel
        self._on_end = on_end

        def forget() -> None:
            if self._on_end is on_end:  # the connection's next request may have begun
                self._on_end = None

        return forget


class Watch:
    """Awaits `leaving` in a task of its own, then calls `on_left`.

    The task starts when the event loop is free: an answer that is there at once needs none.
    """

    __slots__ = ("_leaving", "_on_left", "_starting", "_task")

    def __init__(self, leaving: Callable[[], Awaitable[None]], on_left: Callable[[], None]) -> None:
        self._leaving = leaving
        self._on_left = on_left
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._task = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        await self._leaving()
        self._on_left()

    def end(self) -> None:
        self._starting.cancel()
        if self._task is not None:
            self._task.cancel()
