"""How times are written beside what took them."""

from __future__ import annotations

from datetime import datetime

from runtime.clock import local_now


def took(seconds: float) -> str:
    """`0.0123` -> `12.3 ms`, `1.5` -> `1.50 s`, `90` -> `1m30s`: three digits, for a column."""
    if seconds < 0.9995:
        ms = seconds * 1000
        return f"{ms:.0f} ms" if ms >= 99.95 else f"{ms:.1f} ms"
    if seconds < 59.995:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


def local(time: str) -> str:
    """A time in ISO 8601 as the log shows it, `2026-11-26 12:03:04`, in the zone of this machine."""
    return f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M:%S}"


def clock(time: str) -> str:
    """The same without the date where that is today's."""
    date, _, of_day = local(time).partition(" ")
    return of_day if date == f"{local_now():%Y-%m-%d}" else f"{date} {of_day}"
