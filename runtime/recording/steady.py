"""Ids and times that are the same in every replay, so that what is stored and shown can be compared.

A request's ids follow from its place among the requests of this process, and from how many it has made; what is made
without a request counts for itself. A moment is a day that is long past, and one second later with each request; spans
and limits are real.
"""

from __future__ import annotations

import time
from collections import OrderedDict
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
        self._made = 0
        self._positions = 0
        self._requests = 0
        self._of_request: OrderedDict[str, list[int]] = OrderedDict()
        self._started = time.monotonic()

    def digits(self, count: int) -> str:
        """Hex digits for an id."""
        request_id = served()
        if request_id is None:
            self._made += 1
            name = f"{self._seed} {self._made}"
        else:
            place = self._place(request_id)
            place[1] += 1
            name = f"{self._seed} {request_id} {place[1]}"
        return sha256(name.encode()).hexdigest()[:count]

    def position(self) -> int:
        """Microseconds since 1970, as `ids.new_position`: the order in which they are asked for."""
        self._positions += 1
        return int(BEGAN * 1_000_000) + self._positions * _GAP

    def stamp(self) -> float:
        """What is written down as now, in seconds since 1970."""
        request_id = served()
        return BEGAN + (self._requests if request_id is None else self._place(request_id)[0])

    def now(self) -> float:
        """What limits are compared with, in seconds since 1970: goes on as any clock."""
        return BEGAN + time.monotonic() - self._started

    def _place(self, request_id: str) -> list[int]:
        """Its place among the requests, and how many ids it has made."""
        place = self._of_request.get(request_id)
        if place is None:
            self._requests += 1
            place = self._of_request[request_id] = [self._requests, 0]
            if len(self._of_request) > _REQUESTS:
                self._of_request.popitem(last=False)
        return place


def make_steady(seed: str = "") -> None:
    """From now on, in this process."""
    steady = Steady(seed)
    clock.use(now=steady.now, stamp=steady.stamp)
    ids.use(digits=steady.digits, position=steady.position)
