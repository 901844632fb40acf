"""Who turns an event loop: a thread of its own, its keeper, or the program's main thread while it waits for an answer.

To hand work over to another thread, and its answer back, takes a tenth of what a short chat costs. One thread at a time
turns the loop, and it never stands still for long:

    the keeper turns it    -- the main thread asks for it            --> nobody does
    nobody does            -- the main thread waits for an answer    --> the main thread does
    the main thread does   -- it has its answer                      --> nobody does
    nobody does            -- another thread waits, or after a while --> the keeper does

What runs on the loop is bound to no thread: any may go on with what another one has begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterator

from runtime.client.held_signals import held_signals

LOOK_S = 0.005
"""For how long nobody may turn the loop; and what is quick: an answer that comes, and the next wait, within so long."""


class Turns:
    """The turns of one loop.

    lock: whoever has it may rely on whose turn it is. It is reentrant, since a garbage collection may come in the
    middle of anything and use the loop. quick_until: the main thread's answers have come quickly so far; by
    `time.monotonic()`, until when it must wait for the next one to go on like this.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.lock = threading.RLock()
        self.has_ended = False
        self.quick_until = 0.0
        self._loop = loop
        self._turner: int | None = None
        self._asker: Callable[[], object] | None = None
        self._waiting: set[object] = set()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._is_keeper_asleep = False

    @property
    def are_mine(self) -> bool:
        """Whether the caller's thread is in the middle of the loop, or of what whoever turns it needs: a garbage
        collection there may run anything.
        """
        return self._turner == threading.get_ident() or self.lock._is_owned()  # type: ignore[attr-defined]

    @property
    def are_free(self) -> bool:
        """Whether `take` would succeed."""
        return self._turner is None and not self.has_ended

    @property
    def are_awaited(self) -> bool:
        """Whether some thread waits for what another one does."""
        return bool(self._waiting)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """While the caller's thread waits for what another one does on the loop."""
        this = object()
        try:
            with self.lock:
                self._waiting.add(this)
                if self._turner is None:
                    self._ring()
            yield
        finally:
            self._waiting.discard(this)

    def soon(self, work: Callable[[], object]) -> None:
        """Call something on the loop. Where it is nobody's turn, the next who turns it does so, and is not woken up."""
        with self.lock:
            if self._turner is None:
                self._loop.call_soon(work)
            else:
                self._loop.call_soon_threadsafe(work)

    def soon_from_anywhere(self, work: Callable[[], object]) -> None:
        """The same, also in the middle of anything: takes no lock. Raises RuntimeError once the loop is closed."""
        self._loop.call_soon_threadsafe(work)
        self._ring()

    def stop(self) -> None:
        """Called on the loop: whoever turns it stops before the next turn."""
        self._loop.stop()

    def stop_soon(self) -> None:
        """The same from anywhere, also in the middle of anything."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def ask(self, tell: Callable[[], object]) -> None:
        """Let whoever turns the loop stop, if that is the keeper, and be told when it has."""
        with self.lock:
            if self._turner is not None and not self.has_ended:
                self._asker = tell
                self.stop_soon()

    def take(self) -> bool:
        """Whether from now on the caller turns the loop, until `leave`. In the main thread with its signals held."""
        with self.lock:
            if is_free := self.are_free:
                self._turner = threading.get_ident()
            return is_free

    def leave(self) -> None:
        """From now on it is nobody's turn; it was the caller's."""
        with self.lock:
            self._turner = None
            if self._is_keeper_asleep or self._waiting:
                self._ring()

    def turn(self, limit_s: float | None = None) -> None:
        """Turn the loop until it is stopped, or for so long. What ends a thread, such as SystemExit, ends only what has
        raised it on the loop. Raises what the handler of a signal raises that could not be held.
        """
        timer = None if limit_s is None else self._loop.call_later(limit_s, self._loop.stop)
        try:
            self._loop.run_forever()
        except (SystemExit, KeyboardInterrupt):
            if held_signals.has_let_through:
                raise
        finally:
            if timer is not None:
                timer.cancel()

    def keep(self) -> None:
        """Be the keeper, until `end`. At last it is its turn."""
        while True:
            with self.lock:
                if is_free := self._turner is None:
                    self._turner = threading.get_ident()
                    self._silence()
                self._is_keeper_asleep = not is_free
            if is_free:
                if self._turn_until_asked():
                    return
            else:
                self._bell.get()
                self._is_keeper_asleep = False
                if self._waiting:
                    continue
            if not self.has_ended:
                with contextlib.suppress(queue.Empty):
                    self._bell.get(timeout=LOOK_S)

    def end(self) -> None:
        """Let the keeper end, after what the loop has been given so far. Nobody else takes a turn from now on."""
        with self.lock:
            self.has_ended = True
            self.stop_soon()
            self._ring()

    def close(self) -> None:
        """After `keep`: no thread is in the middle of the loop any more."""
        self._turner = None

    def forget(self) -> None:
        """In a process that was forked: the keeper is not there, and a lock that it had stays locked."""
        self.lock = threading.RLock()
        self.has_ended = True
        self._turner = None

    def _turn_until_asked(self) -> bool:
        """Whether it was for the last time. Else it is nobody's turn afterwards, and whoever has asked knows that."""
        while True:
            if has_ended := self.has_ended:
                self._loop.call_soon(self._loop.stop)  # that of `end` may have stopped the main thread
            self.turn()
            if has_ended:
                return True
            with self.lock:
                asker, self._asker = self._asker, None
                if asker is not None:
                    self._turner = None
            if asker is not None:
                asker()
                return False

    def _ring(self) -> None:
        if self._bell.empty():
            self._bell.put(None)

    def _silence(self) -> None:
        with contextlib.suppress(queue.Empty):
            self._bell.get_nowait()
