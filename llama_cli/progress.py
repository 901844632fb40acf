"""Shows that long work goes on: a line that is drawn again and again on a terminal, a line of text every few seconds
elsewhere, nothing with `-q` and `--json`.

    ⠹ downloading packages ━━━━━━━━━╸────────── 340.2 MB of 780.1 MB, 12.3 MB/s, 35s left: torch

Work is told as steps, one after the other or several at once; whoever does it counts in `Step.done`, from any thread.
What takes less than a tenth of a second is never shown. Knows nothing of what the work is.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, RLock, Thread
from typing import Literal

from llama_cli import console
from runtime.stdio import one_line

Unit = Literal["bytes", ""]
"""What a step counts: bytes, or pieces that need no word."""

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FIRST_AFTER_S, _EVERY_S = 0.08, 0.1
_FIRST_LINE_AFTER_S, _LINE_EVERY_S = 2.0, 5.0
_RATE_OVER_S = 5.0
_BAR = 20


@dataclass
class Step:
    """A part of the work. what: in words, as in `downloading packages`; done, total: how much of it, total None where
    nobody knows; detail: what is in hand just now; has_clock: say how long it has taken.
    """

    what: str
    total: float | None = None
    unit: Unit = ""
    done: float = 0.0
    detail: str = ""
    has_clock: bool = False
    began: float = field(default_factory=time.monotonic)
    _seen: deque[tuple[float, float]] = field(default_factory=deque)

    def describe(self, *, bar: bool) -> str:
        """The step in one line. bar: with a picture of how far it is."""
        parts = [self.what]
        if self.total and bar:
            parts.append(_bar(self.done / self.total))
        amounts = self._amounts()
        if amounts:
            parts.append(", ".join(amounts))
        if self.has_clock and (seconds := time.monotonic() - self.began) >= 1:
            parts.append(f"({console.duration(seconds)})")
        text = " ".join(parts)
        return one_line(f"{text}: {self.detail}" if self.detail else text)

    def _amounts(self) -> list[str]:
        if not self.total and not self.done:
            return []
        amount = self._amount(self.done)
        found = [f"{amount} of {self._amount(self.total)}" if self.total else amount]
        rate = self._rate()
        if rate > 0:
            if self.unit == "bytes":
                found.append(f"{console.size(rate)}/s")
            if self.total and self.total > self.done:
                found.append(f"{console.duration((self.total - self.done) / rate)} left")
        return found

    def _amount(self, count: float) -> str:
        return console.size(count) if self.unit == "bytes" else f"{count:.0f}"

    def _rate(self) -> float:
        """Over the last seconds, in units a second; 0 while there is nothing to tell it from."""
        now = time.monotonic()
        self._seen.append((now, self.done))
        while now - self._seen[0][0] > _RATE_OVER_S:
            self._seen.popleft()
        since, before = self._seen[0]
        return (self.done - before) / (now - since) if now - since > 0.5 else 0.0


class Display:
    """What `display` gives. seconds: how long each step took that has ended, by its words."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._steps: list[Step] = []
        self._lock = RLock()
        self._ended = Event()
        self._is_drawn = False
        self._is_drawing = console.can_draw()
        self._thread: Thread | None = None

    @contextmanager
    def step(
        self, what: str, *, total: float | None = None, unit: Unit = "", has_clock: bool = False
    ) -> Iterator[Step]:
        """One step, for as long as the block runs; the one that began last is shown."""
        step = Step(what, total, unit, has_clock=has_clock)
        with self._lock:
            self._steps.append(step)
        try:
            yield step
        finally:
            with self._lock:
                self._steps.remove(step)
                self.seconds[what] = self.seconds.get(what, 0.0) + time.monotonic() - step.began

    def _start(self) -> None:
        if console.settings.quiet or console.settings.json:
            return
        console.undrawn = self._undrawn
        self._thread = Thread(target=self._draw if self._is_drawing else self._tell, name="progress", daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        self._ended.set()
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

    def _draw(self) -> None:
        frame = 0
        wait_s = _FIRST_AFTER_S
        while not self._ended.wait(wait_s):
            wait_s = _EVERY_S
            with self._lock:
                if not self._steps:
                    self._clear()
                    continue
                columns = shutil.get_terminal_size((80, 24)).columns
                line = f"{_FRAMES[frame % len(_FRAMES)]} {_fitting(self._steps[-1], columns - 3)}"
                self._put(f"\r\x1b[K{line}")
                self._is_drawn = True
            frame += 1
        with self._lock:
            self._clear()

    def _tell(self) -> None:
        wait_s = _FIRST_LINE_AFTER_S
        while not self._ended.wait(wait_s):
            wait_s = _LINE_EVERY_S
            with self._lock:
                lines = [step.describe(bar=False) for step in self._steps[-1:]]
            for line in lines:
                console.say(line)

    def _put(self, text: str) -> None:
        with suppress(OSError, ValueError, AttributeError):  # full, closed or never open: the work goes on
            sys.stderr.write(text)
            sys.stderr.flush()


_shown: Display | None = None
_nothing_drawn = console.undrawn


@contextmanager
def display() -> Iterator[Display]:
    """A display for as long as the block runs; inside another one, that one."""
    global _shown
    if _shown is not None:
        yield _shown
        return
    _shown = Display()
    _shown._start()
    try:
        yield _shown
    finally:
        shown, _shown = _shown, None
        shown._stop()


@contextmanager
def working(what: str, *, total: float | None = None, unit: Unit = "", has_clock: bool = False) -> Iterator[Step]:
    """A single step, with a display of its own unless there is one."""
    with display() as shown, shown.step(what, total=total, unit=unit, has_clock=has_clock) as step:
        yield step


def _bar(share: float) -> str:
    halves = round(max(0.0, min(1.0, share)) * _BAR * 2)
    full, half = divmod(halves, 2)
    return "━" * full + "╸" * half + "─" * (_BAR - full - half)


def _fitting(step: Step, columns: int) -> str:
    """As much of it as a line has place for: first the bar goes, then what does not fit is cut off."""
    from rich.cells import cell_len, set_cell_size

    for bar in (True, False):
        text = step.describe(bar=bar)
        if cell_len(text) <= columns:
            return text
    return set_cell_size(text, max(1, columns - 1)).rstrip() + "…"
