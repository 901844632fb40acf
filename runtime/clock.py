"""What time it is. Everybody asks here: ruff refuses any other clock, except those that only measure spans, such as
`time.monotonic()`. Imports nothing else of ours.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def wall_time() -> float:
    """Seconds since 1970."""
    return time.time()  # noqa: TID251  # the only place


def utc_now() -> datetime:
    """The same as a date in UTC."""
    return datetime.fromtimestamp(wall_time(), UTC)


def local_now() -> datetime:
    """The same as a date in the zone of this machine."""
    return utc_now().astimezone()
