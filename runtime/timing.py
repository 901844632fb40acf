"""How long a request waited for others, so that our own part of its time can be told. Imports nothing else of ours."""

from __future__ import annotations

import time


class Timing:
    """The times of one request up to the first byte of its answer, in seconds of `time.perf_counter()`.

    arrived: when the whole request was there. waited_s: how long it waited for upstreams and engines; several waits at
    once count once. overhead_ms: our own part, None before the first byte.

    As a context manager, it counts the time inside as a wait: `with current().timing:`. That includes what the HTTP
    library does meanwhile.
    """

    __slots__ = ("_began", "_waiting", "arrived", "overhead_ms", "waited_s")

    def __init__(self) -> None:
        self.arrived = time.perf_counter()
        self.waited_s = 0.0
        self.overhead_ms: float | None = None
        self._waiting = 0
        self._began = 0.0

    def __enter__(self) -> None:
        if not self._waiting:
            self._began = time.perf_counter()
        self._waiting += 1

    def __exit__(self, *_: object) -> None:
        self._waiting -= 1
        if not self._waiting and self.overhead_ms is None:
            self.waited_s += time.perf_counter() - self._began

    def client_took(self, seconds: float) -> None:
        """Note that the client took this time to send more of its request. Inside a wait it counts already."""
        if not self._waiting:
            self.arrived += seconds

    def first_byte(self) -> tuple[float, float]:
        """Note that the answer begins now. Returns our own part and the waits until now, in milliseconds."""
        now = time.perf_counter()
        self.waited_s += now - self._began if self._waiting else 0.0
        self.overhead_ms = max(0.0, (now - self.arrived - self.waited_s) * 1000)
        return self.overhead_ms, self.waited_s * 1000
