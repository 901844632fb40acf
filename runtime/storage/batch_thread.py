"""A thread that does what event loops ask for, together: what comes while it is at work waits, and is one batch then.

So one commit, and one fsync, serve many callers, without a timer and without a delay for a single one.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from runtime.storage.outcomes import Pending, return_outcomes

_MAX_BATCH = 256  # so that the first of many does not wait for the last
MAX_WAITING = 1024
"""Pending changes of one file, beyond which further callers should wait."""


P = TypeVar("P", bound=Pending)


class BatchThread(Generic[P]):
    """A subclass says what is done: `_do` and `_finish` are called in the thread, which begins with `start`."""

    def __init__(self, name: str) -> None:
        self._waiting: deque[P] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._woken_by: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, pending: P) -> None:
        """Queue something; its future gets the outcome, or an error, once it is done. Called in its event loop."""
        with self._changed:
            self._waiting.append(pending)
            if self._woken_by is pending.loop:
                return
            self._woken_by = pending.loop
        pending.loop.call_soon(self._wake)

    def _wake(self) -> None:
        """Once for all that was put in one turn of an event loop: waking a thread takes longer than putting."""
        with self._changed:
            self._woken_by = None
            self._changed.notify()

    def stop(self) -> None:
        """Returns when everything that waits has been done."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _do(self, batch: Sequence[P]) -> Sequence[Any]:
        """The outcome of each, an exception where it failed. What it raises is the outcome of all."""
        raise NotImplementedError

    def _finish(self) -> None:
        """Release what the thread uses."""
        raise NotImplementedError

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                return_outcomes(batch, self._outcomes(batch))
                batch.clear()  # it may be large, and the next one late
        finally:
            self._finish()

    def _outcomes(self, batch: Sequence[P]) -> Sequence[Any]:
        try:
            return self._do(batch)
        except Exception as error:  # all callers must get it, and the thread must continue
            return [error] * len(batch)

    def _next_batch(self) -> list[P]:
        """Waits for something, and returns what there is up to a maximum; empty when the thread should stop."""
        with self._changed:
            while not self._waiting and not self._stopping:
                self._changed.wait()
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), _MAX_BATCH))]
