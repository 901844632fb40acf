"""How fast something happens, over the last seconds. Knows counts and a clock."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_SLICES = 10


class Rate:
    """A moving average over `window_s` seconds, to a tenth of it. clock: in seconds."""

    def __init__(self, window_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s, self._clock = window_s, clock
        self._since = clock()
        self._slices: deque[tuple[int, float]] = deque(maxlen=_SLICES + 1)  # number of the slice, count in it

    def add(self, count: float) -> None:
        now = self._slice(self._clock())
        if self._slices and self._slices[-1][0] == now:
            self._slices[-1] = (now, self._slices[-1][1] + count)
        else:
            self._slices.append((now, count))

    def per_second(self) -> float:
        """0 where nothing has happened for a whole window. A window that is not over yet counts as far as it goes."""
        now = self._clock()
        oldest = self._slice(now) - _SLICES
        elapsed = min(now - self._since, now - oldest * self._window_s / _SLICES)
        counted = sum(count for number, count in self._slices if number >= oldest)
        return counted / max(elapsed, self._window_s / _SLICES)

    def _slice(self, now: float) -> int:
        return int(now // (self._window_s / _SLICES))
