"""A bound on accepted work, running and waiting together. Knows counts; not what they stand for. For one event loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runtime.engine.requests.rate import Rate
from runtime.errors import RateLimited, TooLarge

# Told where nothing has left the room lately, and at most.
_RETRY_AFTER_S, _MAX_RETRY_AFTER_S = 5, 120
_RATE_WINDOW_S = 60.0
_REQUEST_BYTES_EACH = 16_384


class WaitingRoom:
    """places: how many may be in it. size: their largest total size. unit, size_unit: what both count, in the plural,
    for messages. Its bounds follow from the provider's `max_waiting`. clock: in seconds.
    """

    def __init__(
        self,
        model: str,
        *,
        places: int,
        size: int,
        unit: str,
        size_unit: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._places, self._size = places, size
        self._unit, self._size_unit = unit, size_unit
        self.taken = self.taken_size = 0
        self._left, self._left_size = Rate(_RATE_WINDOW_S, clock), Rate(_RATE_WINDOW_S, clock)

    def check_size(self, places: int, size: int) -> None:
        """Raises TooLarge for a request that does not fit even into an empty room."""
        for asked, limit, unit in ((places, self._places, self._unit), (size, self._size, self._size_unit)):
            if asked > limit:
                raise TooLarge(
                    f"This request has {asked} {unit}; `{self._model}` takes {limit} at once.",
                    hint="send less at a time, or raise `max_waiting` in the provider's config",
                )

    def enter(self, places: int, size: int) -> None:
        """Take places until `leave` is called with the same numbers. Raises RateLimited where too few are free, with
        the time after which as many will have left, at the rate of the last minute.
        """
        for taken, asked, limit, unit, left in (
            (self.taken, places, self._places, self._unit, self._left),
            (self.taken_size, size, self._size, self._size_unit, self._left_size),
        ):
            if taken + asked > limit:
                raise RateLimited(
                    f"`{self._model}` already has {taken} {unit} to work on; {asked} more would exceed {limit}.",
                    hint="try again later, or raise `max_waiting` in the provider's config",
                    headers={"retry-after": str(_retry_after_s(taken + asked - limit, left.per_second()))},
                )
        self.taken += places
        self.taken_size += size

    def leave(self, places: int, size: int) -> None:
        self.taken -= places
        self.taken_size -= size
        self._left.add(places)
        self._left_size.add(size)

    @contextmanager
    def within(self, places: int, size: int) -> Iterator[None]:
        """`enter`, and `leave` however the block ends. Raises RateLimited where too few places are free."""
        self.enter(places, size)
        try:
            yield
        finally:
            self.leave(places, size)


def _retry_after_s(missing: int, per_second: float) -> int:
    """Whole seconds until `missing` more are free."""
    return min(math.ceil(missing / per_second), _MAX_RETRY_AFTER_S) if per_second else _RETRY_AFTER_S


def early_room(model: str, max_waiting: int, *, unit: str) -> WaitingRoom:
    """For requests that arrive before `model` is loaded: their tokens cannot be counted yet, but their bytes can."""
    size = max_waiting * _REQUEST_BYTES_EACH
    return WaitingRoom(model, places=max_waiting, size=size, unit=unit, size_unit="bytes of requests")
