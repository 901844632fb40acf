"""Since when something does not work, in words for whoever meets it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from runtime.clock import wall_time

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """reason: why it does not work, and what to do about it. since: when that was first seen, in seconds since 1970."""

    reason: str
    since: float

    @property
    def began(self) -> str:
        """When it was first seen, as in `2026-11-26T07:03:11Z`."""
        return datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def __str__(self) -> str:
        """The reason with `(since 2026-11-26T07:03:11Z, 3 minutes ago)`."""
        return f"{self.reason} (since {self.began}, {_span(wall_time() - self.since)} ago)"


def _span(seconds: float) -> str:
    """`3 minutes`: the largest unit that is reached, rounded down; a second at least."""
    whole = max(1, int(seconds))
    name, size = next(unit for unit in _UNITS if whole >= unit[1])
    count = whole // size
    return f"{count} {name}{'' if count == 1 else 's'}"
