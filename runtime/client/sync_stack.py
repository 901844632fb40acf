"""A stack for callers without an event loop: it runs in a thread of its own, and they wait for it."""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401  # registers its own end before ours
import contextlib
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from runtime.client.chosen import Chosen
from runtime.client.exchange import Asked, End
from runtime.client.http_clients import client_settings, headers_of, library_or_installed
from runtime.client.local_stack import LocalStack
from runtime.client.loop_thread import LoopThread
from runtime.client.reading import ThreadReading
from runtime.errors import Unavailable

_AT_EXIT_S = 3.0
"""How long a stack may take to close at the end of a program. What was acknowledged is on disk all the same."""


class _Running:
    """What runs, and is closed also where whoever used it is gone. Raises as `SyncStack` does."""

    def __init__(self, chosen: Chosen, *, wait_s: float) -> None:
        self.local = LocalStack(chosen, wait_s=wait_s)
        self.thread = LoopThread(f"llama stack {chosen.run.distro_name}")
        self.is_closed = False
        self._closing = threading.RLock()
        try:
            self.thread.run(self.local.open())
        except BaseException:
            self.thread.run(self.local.close())
            self.thread.stop()
            raise
        _open.add(self)

    def close(self, *, limit_s: float | None = None) -> None:
        """See `SyncStack.close`."""
        if self.thread.is_here:  # a garbage collection may come in the middle of the loop, and close what it finds
            self.close_soon()
            return
        with self._closing:
            self.is_closed = True
            _open.discard(self)
            try:
                self.thread.run(self.local.close(), limit_s=limit_s)
            except Unavailable:  # closed already
                return
            finally:
                self.thread.stop(limit_s=limit_s)

    def close_soon(self) -> None:
        """Close, and wait for nothing: for a garbage collection, which any thread may do in the middle of anything."""

        async def close() -> None:
            try:
                await self.local.close()
            finally:
                _open.discard(self)
                self.thread.stop()

        self.is_closed = True
        with contextlib.suppress(Unavailable):
            self.thread.start(close())

    def forget(self) -> None:
        """In a process that was forked, which does not have the stack: whoever asks it there is told so."""
        self.is_closed = True
        self._closing = threading.RLock()
        self.thread.forget()


_open: set[_Running] = set()


class SyncStack:
    """Open until `close`, or until nobody has it any more. Any thread may use it, also one with an event loop, which it
    then blocks.
    """

    def __init__(self, chosen: Chosen, *, provider_data: Mapping[str, Any] | None = None, wait_s: float = 0.0) -> None:
        """Raises TypeError for `provider_data` that JSON does not have, and what `LocalStack.open` does."""
        self._headers = headers_of(provider_data)
        self._name = chosen.run.distro_name
        self._running = _Running(chosen, wait_s=wait_s)

    def __del__(self, warn: Callable[..., None] = warnings.warn) -> None:
        running: _Running | None = self.__dict__.get("_running")  # none where it could not be opened
        if running is not None and not running.is_closed:
            running.close_soon()  # first: a warning may be made an error
            warn(f"unclosed stack `{self._name}`: `close()` its client, or use `with`", ResourceWarning, source=self)

    def http_client(self, library: ModuleType | None = None) -> Any:
        """A client whose every request this stack answers: `httpx.Client`, or httpx2's.

        library: `httpx` or `httpx2`; by default the first that is installed. Closing the client leaves the stack open.
        Raises Unavailable if neither is installed.
        """
        from runtime.client.transports import sync_transport

        chosen = library_or_installed(library)
        return chosen.Client(transport=sync_transport(chosen, self), **client_settings(chosen, self._headers))

    def begin(self, asked: Asked, parts: Iterator[bytes] | None = None) -> ThreadReading:
        """Begin a request. parts: its body instead of `asked.body`, made in the thread that reads the answer.

        Raises Unavailable once the stack is closed, RuntimeError within the stack itself.
        """
        if self._running.thread.is_here:
            raise RuntimeError("the stack cannot wait for itself: what runs in it must not use its client")
        reading = ThreadReading(self._running.thread.inbox(), parts)
        if parts is not None:
            asked = replace(asked, body=reading.body())

        def start() -> None:
            try:
                reading.exchange = self._running.local.begin(asked, reading.put)
            except Unavailable as error:  # it was closed meanwhile
                reading.put(End(is_whole=False, failure=error))

        self._running.thread.call(start)
        return reading

    def leave(self, reading: ThreadReading) -> None:
        """Leave an answer, as a client that closes its connection. Waits for nothing, since whoever breaks off a loop
        over a stream leaves it by a garbage collection, which may come in the middle of anything.
        """
        self._running.thread.tell(reading.leave)

    def close(self, *, limit_s: float | None = None) -> None:
        """See `LocalStack.close`. Whoever waits for an answer is told that the stack is closing. limit_s: how long that
        may take; raises TimeoutError where it takes longer.
        """
        self._running.close(limit_s=limit_s)


def _forget_all() -> None:
    while _open:
        _open.pop().forget()


os.register_at_fork(after_in_child=_forget_all)


def _close_all() -> None:
    """A program that ends without closing its stacks ends in good order all the same."""
    for stack in list(_open):
        with contextlib.suppress(Exception):
            stack.close(limit_s=_AT_EXIT_S)


# Not `atexit`: by then the executors' threads have ended, and a database that closes waits for one. The last that was
# registered is called first.
threading._register_atexit(_close_all)  # type: ignore[attr-defined]  # as `concurrent.futures` does
