"""An event loop in a thread of its own, for callers that have none or are in the middle of theirs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from runtime.errors import Unavailable

_STOPPED = "the stack has been closed"
_IN_CHILD = "the stack runs in the process that this one was forked from"
T = TypeVar("T")


class LoopThread:
    """Runs until `stop`. A daemon: a program that never stops it still ends."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.RLock()  # a garbage collection may come while it is had, and call or start something
        self._is_stopping = False
        self._lacking = _STOPPED
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_here(self) -> bool:
        """Whether the caller runs in this thread, where it must not wait for the loop."""
        return threading.current_thread() is self._thread

    def call(self, work: Callable[[], object]) -> None:
        """Call something on the loop soon. Raises Unavailable once the thread has been stopped; else it is called."""
        with self._lock:
            if self._is_stopping:
                raise self._lacks()
            self._loop.call_soon_threadsafe(work)

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        """Begin something on the loop. Raises Unavailable once the thread has been stopped."""
        with self._lock:
            if self._is_stopping:
                work.close()
                raise self._lacks()
            asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, T], *, limit_s: float | None = None) -> T:
        """Run something on the loop and wait for it; whoever is interrupted cancels it. Raises what it raises,
        TimeoutError after `limit_s`, and Unavailable once the thread has been stopped.
        """
        with self._lock:
            if self._is_stopping:
                work.close()
                raise self._lacks()
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(limit_s)
        except BaseException:
            future.cancel()
            raise

    def stop(self, *, limit_s: float | None = None) -> None:
        """End the thread after what it was given before, and wait for that. Does nothing the second time. limit_s: how
        long to wait.
        """
        with self._lock:
            if self._is_stopping:
                return
            self._is_stopping = True
            self._loop.call_soon_threadsafe(self._loop.stop)
        if not self.is_here:
            self._thread.join(limit_s)

    def forget(self) -> None:
        """In a process that was forked: the thread is not there, and a lock that it had stays locked."""
        self._lock = threading.RLock()
        self._is_stopping = True
        self._lacking = _IN_CHILD

    def _lacks(self) -> Unavailable:
        return Unavailable(self._lacking, hint="make another client")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            try:
                self._loop.run_until_complete(_end(asyncio.all_tasks(self._loop)))
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
                self._loop.run_until_complete(self._loop.shutdown_default_executor())
            finally:
                self._loop.close()


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
