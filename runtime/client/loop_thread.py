"""An event loop for callers that have none or are in the middle of theirs, in a thread of its own, or in theirs while
they wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from runtime.client.inbox import Inbox
from runtime.client.turns import Turns
from runtime.errors import Unavailable

_STOPPED = "the stack has been closed"
_IN_CHILD = "the stack runs in the process that this one was forked from"
T = TypeVar("T")


class LoopThread:
    """Runs until `stop`. A daemon: a program that never stops it still ends."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._turns = Turns(self._loop)
        self._lacking = _STOPPED
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_here(self) -> bool:
        """Whether the caller runs on the loop, where it must not wait for it, or in the middle of what that needs."""
        return self._turns.are_mine

    def inbox(self) -> Inbox[Any]:
        """For a thread that waits for what it is told on the loop."""
        return Inbox(self._turns)

    def call(self, work: Callable[[], object]) -> None:
        """Call something on the loop soon. Raises Unavailable once the thread has been stopped; else it is called."""
        with self._turns.lock:
            if self._turns.has_ended:
                raise self._lacks()
            self._turns.soon(work)

    def tell(self, work: Callable[[], object]) -> None:
        """Call something on the loop soon, from the middle of anything: takes no lock, and waits for nothing. Does
        nothing once the thread has ended.
        """
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._turns.soon_from_anywhere(work)

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        """Begin something on the loop. Raises Unavailable once the thread has been stopped."""
        with self._turns.lock:
            if self._turns.has_ended:
                work.close()
                raise self._lacks()
            asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, T], *, limit_s: float | None = None) -> T:
        """Run something on the loop and wait for it; whoever is interrupted cancels it. Raises what it raises,
        TimeoutError after `limit_s`, Unavailable once the thread has been stopped, and RuntimeError on the loop itself.
        """
        if self.is_here:
            work.close()
            raise RuntimeError("what runs on an event loop cannot wait for it")
        with self._turns.lock:
            if self._turns.has_ended:
                work.close()
                raise self._lacks()
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            with self._turns.waiting():
                return future.result(limit_s)
        except BaseException:
            future.cancel()
            raise

    def stop(self, *, limit_s: float | None = None) -> None:
        """End the thread after what it was given before, and wait for that. Does nothing the second time. limit_s: how
        long to wait.
        """
        with self._turns.lock:
            if self._turns.has_ended:
                return
            self._turns.end()
        if not self.is_here:
            self._thread.join(limit_s)

    def forget(self) -> None:
        """In a process that was forked: the thread is not there, and a lock that it had stays locked."""
        self._turns.forget()
        self._lacking = _IN_CHILD

    def _lacks(self) -> Unavailable:
        return Unavailable(self._lacking, hint="make another client")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._turns.keep()
        finally:
            try:
                self._loop.run_until_complete(_end(asyncio.all_tasks(self._loop)))
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
                self._loop.run_until_complete(self._loop.shutdown_default_executor())
            finally:
                self._loop.close()
                self._turns.close()


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
