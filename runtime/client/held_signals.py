"""Signals that come while the program's main thread turns an event loop: they wait until that is between two turns.

Python calls a program's handlers in its main thread, in the middle of anything, and most of them raise something. In
an event loop that would end whatever happens to run there, such as somebody else's request, and lose what the loop has
just taken up. Knows no event loop, but how one is told to stop.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` calls, which takes 3 us more for names of numbers
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

_Handler = Callable[[int, FrameType | None], object]
_NUMBERS = sorted(map(int, signal.valid_signals()))
_PATIENCE_S = 1.0
"""A signal that has waited for so long is sent again, and handled at once: something holds up the loop."""


class HeldSignals:
    """The handlers of a program, which stand aside from `hold` to `let_go`. There is one of these, since a process has
    one thread that handles signals.

    has_let_through: whether one could not be kept waiting, since `hold`.
    """

    def __init__(self) -> None:
        self.has_let_through = False
        self._holder = self._hold_one  # one object, to be known again
        self._stop: Callable[[], object] | None = None
        self._seen: list[Any] = []
        self._theirs: dict[int, _Handler] = {}
        self._held: dict[int, tuple[FrameType | None, float]] = {}
        self._is_watched = False

    @property
    def are_there(self) -> bool:
        """Whether one has come and waits."""
        return bool(self._held)

    def hold(self, stop: Callable[[], object]) -> None:
        """From now on, keep what comes, and say so. stop: called in the middle of anything. In another thread than the
        one that handles signals it does nothing. What `signal.siginterrupt` has set for them is lost. Raises what a
        handler raises that is called meanwhile.
        """
        now = list(map(_signal.getsignal, _NUMBERS))
        if now != self._seen:
            before, self._seen = self._theirs, now
            self._theirs = {
                number: before[number] if handler is self._holder else handler
                for number, handler in zip(_NUMBERS, now, strict=True)
                if callable(handler)
            }
        self._stop = stop
        try:
            for number in self._theirs:
                _signal.signal(number, self._holder)
        except ValueError:  # what embeds Python has made another thread its main thread
            return
        except BaseException:  # of one that has not stood aside yet
            self.let_go()
            raise

    def let_go(self) -> None:
        """Put the handlers back, and then give them what has come. Raises what they raise."""
        self._stop = None
        self.has_let_through = False
        try:
            for number, handler in self._theirs.items():
                if _signal.getsignal(number) is self._holder:  # else somebody has put another one there
                    _signal.signal(number, handler)
        finally:
            self._give()

    def forget(self) -> None:
        """In a process that was forked meanwhile: what comes there is its own."""
        self._is_watched = False
        if self._stop is not None:
            self._held.clear()
            self.let_go()

    def _hold_one(self, number: int, frame: FrameType | None) -> None:
        if self._stop is not None:
            _, since = self._held.setdefault(number, (frame, time.monotonic()))
            if time.monotonic() - since < _PATIENCE_S:
                self._stop()
                if not self._is_watched:
                    self._is_watched = True
                    threading.Thread(target=self._watch, name="held signals", daemon=True).start()
                return
            del self._held[number]
            self.has_let_through = True
        self._theirs[number](number, frame)

    def _watch(self) -> None:
        """Send again what waits for too long: a program may have asked for one alarm, and no more."""
        main = threading.main_thread().ident
        while self._held and main is not None:
            time.sleep(_PATIENCE_S)
            for number, (_, since) in list(self._held.items()):
                if time.monotonic() - since >= _PATIENCE_S:
                    signal.pthread_kill(main, number)
        self._is_watched = False

    def _give(self) -> None:
        while self._held:
            number, (frame, _) = self._held.popitem()
            try:
                self._theirs[number](number, frame)
            finally:
                self._give()


held_signals = HeldSignals()
os.register_at_fork(after_in_child=held_signals.forget)
