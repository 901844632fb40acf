"""Ids and times that are the same in every replay, so that what is stored and shown can be compared.

A request's ids follow from its place among those that have made some, and from how many it has made: requests that
only look, such as for whether a job is done, may come as often as they like, and no id follows from what a caller calls
a request. What is made without a request counts for itself, by its kind. A moment is a day that is long past, and one
second later with each request that has made an id; nothing that is written down took any time. What is waited for, and
limits, are real.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from hashlib import sha256

from runtime import clock, ids
from runtime.context import served

BEGAN = 1_767_225_600.0
"""2026-01-01T00:00:00Z, seconds since 1970."""
_REQUESTS = 4_096
_GAP = 1_000


class Steady:
    """The ids and times of one process. seed: another one gives other ids."""

    def __init__(self, seed: str = "") -> None:
        self._seed = seed
        self._made: Counter[str] = Counter()
        self._positions = 0
        self._requests = 0
        self._of_request: OrderedDict[str, list[int]] = OrderedDict()
        self._started = time.monotonic()

    def digits(self, prefix: str, count: int) -> str:
        """Hex digits for an id with this prefix."""
        request_id = served()
        if request_id is None:
            self._made[prefix] += 1
            name = f"{self._seed} {prefix} {self._made[prefix]}"
        else:
            place = self._place(request_id)
            place[1] += 1
            name = f"{self._seed} {place[0]} {place[1]}"
        return sha256(name.encode()).hexdigest()[:count]

    def position(self) -> int:
        """Microseconds since 1970, as `ids.new_position`: the order in which they are asked for."""
        self._positions += 1
        return int(BEGAN * 1_000_000) + self._positions * _GAP

    def stamp(self) -> float:
        """What is written down as now, in seconds since 1970."""
        place = self._of_request.get(served() or "")
        return BEGAN + (place[0] if place else self._requests)

    def span(self, measured_s: float) -> float:
        """What is written down as the time that something took, in seconds."""
        return 0.0

    def now(self) -> float:
        """What limits are compared with, in seconds since 1970: goes on as any clock."""
        return BEGAN + time.monotonic() - self._started

    def _place(self, request_id: str) -> list[int]:
        """Its place among the requests, and how many ids it has made."""
        if request_id in self._of_request:
            self._of_request.move_to_end(request_id)
        else:
            self._requests += 1
            self._of_request[request_id] = [self._requests, 0]
            if len(self._of_request) > _REQUESTS:
                self._of_request.popitem(last=False)
        return self._of_request[request_id]


def make_steady(seed: str = "") -> None:
    """From now on, in this process."""
    steady = Steady(seed)
    clock.use(now=steady.now, stamp=steady.stamp, span=steady.span)
    ids.use(digits=steady.digits, position=steady.position)
