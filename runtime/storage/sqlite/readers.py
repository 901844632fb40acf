"""The threads that read a SQLite file, beside each other: a query that takes long holds up none that does not.

    a read  ->  queue  ->  the first reader, one after the other  ->  outcomes, as many at once as there are
                           it is at one for too long  ->  another reader goes on with what waits

One thread at a time is the fastest for reads that are soon done, since Python runs one at a time anyway; so a further
one is made only when those that are there are held up, and ends when it was not needed for a while.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from runtime.storage.outcomes import return_outcomes
from runtime.storage.sqlite.files import DatabaseFile, connect, unavailable

MOST = 4
"""Readers of one file. While each of them is at something that takes long, others wait."""
_PATIENCE_S = 0.01
"""How long a reader may be at one read before another reader does what waits behind it."""
_SPARE_S = 30.0
"""How long a further reader is kept for the next read that takes long."""
_AT_ONCE = 16
"""Outcomes that may wait for each other: waking an event loop takes longer than a short read."""


@dataclass(frozen=True, slots=True)
class PendingRead:
    """A pending read. work: what does it; future: for its result, in `loop`."""

    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    slots: ClassVar[None] = None


class Readers:
    """The readers of the file at `path`. what: what it is called in messages. file: as it has to be.

    A read's future gets its result, or Unavailable.
    """

    def __init__(self, path: Path, what: str, file: DatabaseFile) -> None:
        self.path = path
        self.what = what
        self.file = file
        self.waiting: deque[PendingRead] = deque()
        self.lock = threading.Lock()
        self.idle: list[_Reader] = []  # the last one is woken first, so that the others are not needed and end
        self.all: list[_Reader] = []
        self.stopping = False
        self._looked_after_in: asyncio.AbstractEventLoop | None = None

    def put(self, read: PendingRead) -> None:
        """Queue a read; called in its event loop."""
        self.waiting.append(read)
        self._look_after(read.loop)

    def stop(self) -> None:
        """Returns when everything that waits was read, and all threads have ended."""
        with self.lock:
            self.stopping = True
            readers = [*self.all]
            for reader in self.idle:
                reader.wake()
            self.idle.clear()
        for reader in readers:
            reader.thread.join()

    def _look_after(self, loop: asyncio.AbstractEventLoop) -> None:
        """See that somebody comes to what waits: now, and later to what waits behind the first."""
        with self.lock:
            # What a reader has read before it took the last that waited would else be returned at the end of that.
            if self.stopping or not (self.waiting or any(reader.has_outcomes for reader in self.all)):
                return
            begun = time.monotonic() - _PATIENCE_S
            at_work = [reader.since for reader in self.all if reader.since]
            comes = not self.waiting or (all(since <= begun for since in at_work) and self._call_one())
            # One that is at work can be faster than the one that was called, and has then an outcome to return.
            if (at_work or not comes or len(self.waiting) > 1) and self._looked_after_in is not loop:
                self._looked_after_in = loop
                loop.call_later(_PATIENCE_S, self._look_again, loop)

    def _call_one(self) -> bool:
        """Have one more reader at work. Whether there is one."""
        if self.idle:
            self.idle.pop().wake()
        elif len(self.all) < MOST:
            self.all.append(_Reader(self))
        else:
            return False
        return True

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looked_after_in = None
        for reader in [*self.all]:
            reader.hand_over()
        self._look_after(loop)


class _Reader:
    """A thread with a connection. since: when it began with its read, by `time.monotonic`; 0 while it has none."""

    def __init__(self, readers: Readers) -> None:
        self.since = time.monotonic()
        self._readers = readers
        self._connection: sqlite3.Connection | None = None
        self._done: deque[tuple[PendingRead, Any]] = deque()
        self._woken = threading.Lock()
        self._woken.acquire()
        self.thread = threading.Thread(target=self._run, name=f"read {readers.path.name}", daemon=True)
        self.thread.start()

    def wake(self) -> None:
        self.since = time.monotonic()
        self._woken.release()

    @property
    def has_outcomes(self) -> bool:
        """Whether it has yet to return some."""
        return bool(self._done)

    def hand_over(self) -> None:
        """Return the outcomes that are there, in any thread."""
        done = []
        while self._done:
            try:
                done.append(self._done.popleft())
            except IndexError:  # the other thread was faster
                break
        if done:
            return_outcomes([read for read, _ in done], [outcome for _, outcome in done])

    def _run(self) -> None:
        waiting = self._readers.waiting
        try:
            while self._is_needed():
                while waiting:
                    try:
                        read = waiting.popleft()
                    except IndexError:  # another reader was faster
                        break
                    self.since = time.monotonic()
                    self._done.append((read, self._outcome(read)))
                    del read  # with what it holds, while this thread waits
                    if len(self._done) >= _AT_ONCE:
                        self.hand_over()
                self.hand_over()
        finally:
            if self._connection is not None:
                self._connection.close()

    def _is_needed(self) -> bool:
        """Waits for something to read. Whether there is something; if not, this reader is none any more."""
        readers = self._readers
        with readers.lock:
            if readers.waiting:
                return True
            if readers.stopping:
                return self._ended()
            self.since = 0
            readers.idle.append(self)
            is_first = readers.all[0] is self
        if self._woken.acquire(timeout=-1 if is_first else _SPARE_S):
            return True
        with readers.lock:
            if self not in readers.idle:  # it was woken at the last moment
                self._woken.acquire()
                return True
            readers.idle.remove(self)
            return self._ended()

    def _ended(self) -> bool:
        self._readers.all.remove(self)
        return False

    def _outcome(self, read: PendingRead) -> Any:
        readers = self._readers
        if read.future.cancelled():
            return None
        try:
            if self._connection is None:
                readers.file.check()
                self._connection = connect(readers.path)
            return read.work(self._connection)
        except (sqlite3.Error, OSError) as error:
            failure = unavailable(readers.path, readers.what, "read", error)
            failure.__cause__ = error
            return failure
        except Exception as error:  # whoever asked must get it, and the thread must continue
            return error
