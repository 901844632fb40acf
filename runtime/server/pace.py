"""How fast a client must send the body of a request: a byte a minute would otherwise hold a connection for ever."""

from __future__ import annotations

import time

from runtime.errors import RequestTimeout
from runtime.server.inflow import Flow


class Pace:
    """Of one body, from now on. least_rate: bytes per second that must come on average, once `grace_s` seconds are
    over; 0 for as slowly as one likes. The time in which we do not read does not count.
    """

    __slots__ = ("_began", "_flow", "_grace_s", "_least_rate")

    def __init__(self, flow: Flow, *, least_rate: float, grace_s: float) -> None:
        self._flow = flow
        self._least_rate = least_rate
        self._grace_s = grace_s
        self._began = time.monotonic() - flow.paused_s

    def is_too_slow(self, read_bytes: int) -> bool:
        """Whether so many bytes are too few by now."""
        spent_s = time.monotonic() - self._flow.paused_s - self._began
        return read_bytes < (spent_s - self._grace_s) * self._least_rate


def too_slow() -> RequestTimeout:
    return RequestTimeout("The request's body came too slowly, or its rest did not come at all")
