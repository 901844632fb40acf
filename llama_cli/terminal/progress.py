"""Shows that long work goes on: a line that is drawn again and again on a terminal, a line of text every few seconds
elsewhere, nothing with `-q` and `--json`.

    ⠹ downloading packages ━━━━━━━━━╸────────── 340.2 of 780.1 MB, 12.3 MB/s, 35s left: torch

Work is told as steps, one after the other or several at once; whoever does it counts in `Step.done`, from any thread.
Work that a process of ours does is told by that one and shown here (`told_to`, `Display.mirror`). Knows nothing of
what the work is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, RLock, Thread, current_thread, main_thread

from llama_cli.terminal import console
from llama_cli.terminal.step import Step, Unit

__all__ = ["Display", "Step", "Unit", "display", "told_to", "waiting", "working"]

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FIRST_AFTER_S, _EVERY_S = 0.02, 0.1
_FIRST_LINE_AFTER_S, _LINE_EVERY_S = 2.0, 5.0


class Display:
    """What `display` gives. seconds: how long each step took that has ended, by its words."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._steps: list[Step] = []
        self._mirrored: list[Step] = []
        self._lock = RLock()
        self._busy, self._ended = Event(), Event()
        self._is_drawn = False
        self._thread: Thread | None = None

    @contextmanager
    def step(self, what: str, *, total: float | None = None, unit: Unit = "") -> Iterator[Step]:
        """One step, for as long as the block runs; the one that began last is shown."""
        step = Step(what, total, unit)
        with self._lock:
            self._steps.append(step)
            self._busy.set()
        try:
            yield step
        finally:
            with self._lock:
                self._steps.remove(step)
                self.seconds[what] = self.seconds.get(what, 0.0) + time.monotonic() - step.began

    def mirror(self, steps: Sequence[Step]) -> None:
        """Show these, as another process has told them, before our own; they replace those that it told before."""
        with self._lock:
            known = {(step.what, step.began): step for step in self._mirrored}
            self._mirrored = []
            for told in steps:
                step = known.get((told.what, told.began), told)  # which knows how fast it was
                step.total, step.unit, step.done, step.detail = told.total, told.unit, told.done, told.detail
                self._mirrored.append(step)
                self._busy.set()

    def _current(self) -> Step | None:
        steps = self._mirrored or self._steps
        return steps[-1] if steps else None

    def _start(self, tell: Callable[[list[Step]], None] | None) -> None:
        if console.settings.quiet or console.settings.json:
            return
        if tell is not None:
            self._thread = Thread(target=self._tell, args=(tell,), name="progress", daemon=True)
        else:
            console.undrawn = self._undrawn
            self._thread = Thread(target=self._draw if console.can_draw() else self._say, name="progress", daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        self._ended.set()
        self._busy.set()
        if self._thread is not None:
            self._thread.join()
            console.undrawn = _nothing_drawn

    @contextmanager
    def _undrawn(self) -> Iterator[None]:
        with self._lock:
            self._clear()
            yield

    def _clear(self) -> None:
        if self._is_drawn:
            self._is_drawn = False
            self._put("\r\x1b[K")

    def _ticks(self, first_s: float, every_s: float) -> Iterator[Step]:
        """The step to show: a moment after there is one, and then again and again. Ends with the display."""
        while True:
            self._busy.wait()
            wait_s = first_s
            while not self._ended.wait(wait_s):
                wait_s = every_s
                with self._lock:
                    step = self._current()
                    if step is None:  # nothing more to do until there is
                        self._clear()
                        self._busy.clear()
                        break
                yield step
            if self._ended.is_set():  # looked at once it is not busy: the end makes it busy again
                return

    def _draw(self) -> None:
        for number, step in enumerate(self._ticks(_FIRST_AFTER_S, _EVERY_S)):
            with self._lock:
                columns = console.terminal_size(sys.stderr).columns
                # The cursor goes back to the start: what a process of ours writes there takes the line's place.
                self._put(f"\r\x1b[K{_FRAMES[number % len(_FRAMES)]} {step.describe(columns - 3)}\r")
                self._is_drawn = True
        with self._lock:
            self._clear()

    def _say(self) -> None:
        for step in self._ticks(_FIRST_LINE_AFTER_S, _LINE_EVERY_S):
            # What has only just begun has nothing to say yet but its name.
            if step.done or time.monotonic() - step.began >= _FIRST_LINE_AFTER_S:
                console.say(step.describe())

    def _tell(self, tell: Callable[[list[Step]], None]) -> None:
        told: list[Step] = []
        is_last = False
        while not is_last:
            is_last = self._ended.wait(_FIRST_AFTER_S)
            with self._lock:
                steps = [
                    Step(step.what, step.total, step.unit, step.done, step.detail, step.began) for step in self._steps
                ]
            if steps != told:
                tell(steps)
                told = steps

    def _put(self, text: str) -> None:
        with suppress(OSError, ValueError, AttributeError):  # full, closed or never open: the work goes on
            sys.stderr.write(text)
            sys.stderr.flush()


_shown: Display | None = None
_nothing_drawn = console.undrawn


@contextmanager
def display() -> Iterator[Display]:
    """A display for as long as the block runs; inside another one, that one."""
    if _shown is not None:
        yield _shown
        return
    with _display_for() as shown:
        yield shown


@contextmanager
def told_to(tell: Callable[[list[Step]], None]) -> Iterator[Display]:
    """A display that another process shows, for as long as the block runs. tell: sends steps there, whenever they
    have changed, for its `Display.mirror`; the last time, once the block has ended. It is called from a thread.
    """
    with _display_for(tell) as shown:
        yield shown


@contextmanager
def working(what: str, *, total: float | None = None, unit: Unit = "") -> Iterator[Step]:
    """A single step, with a display of its own unless there is one."""
    with display() as shown, shown.step(what, total=total, unit=unit) as step:
        yield step


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """The same for what only waits, as a sign of life on a terminal: nothing where something is shown already, and in
    a thread beside the one that holds the terminal.
    """
    if _shown is not None or not console.can_draw() or current_thread() is not main_thread():
        yield
        return
    with working(what):
        yield


@contextmanager
def _display_for(tell: Callable[[list[Step]], None] | None = None) -> Iterator[Display]:
    global _shown
    _shown = Display()
    _shown._start(tell)
    try:
        yield _shown
    finally:
        shown, _shown = _shown, None
        shown._stop()
