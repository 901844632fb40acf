"""What time it is. Everybody asks here: ruff refuses any other clock, except those that only measure spans, such as
`time.monotonic()`. A replay puts clocks of its own in the place of these. Imports nothing else of ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


def machine_time() -> float:
    """Seconds since 1970, by this machine's clock in a replay too: for logs and the records of servers."""
    return time.time()  # noqa: TID251  # the only place


def _as_measured(span_s: float) -> float:
    return span_s


_now: Callable[[], float] = machine_time
_stamp: Callable[[], float] = machine_time
_span: Callable[[float], float] = _as_measured


def use(*, now: Callable[[], float], stamp: Callable[[], float], span: Callable[[float], float]) -> None:
    """Other clocks for this process, of `wall_time`, `stamp` and `span`."""
    global _now, _stamp, _span
    _now, _stamp, _span = now, stamp, span


def wall_time() -> float:
    """Seconds since 1970, to compare with."""
    return _now()


def stamp() -> float:
    """Seconds since 1970, to write down when something was made or done."""
    return _stamp()


def span(measured_s: float) -> float:
    """How long something took, in seconds, to write down."""
    return _span(measured_s)


def machine_date() -> datetime:
    """`machine_time` as a date in UTC."""
    return datetime.fromtimestamp(machine_time(), UTC)


def utc_now() -> datetime:
    """`wall_time` as a date in UTC."""
    return datetime.fromtimestamp(wall_time(), UTC)


def local_now() -> datetime:
    """`wall_time` as a date in the zone of this machine."""
    return utc_now().astimezone()
