"""How many connections the system lets a server have: each takes a descriptor, of which a process may have so many."""

from __future__ import annotations

import logging
from contextlib import suppress

log = logging.getLogger(__name__)
_PER_CONNECTION = 2
"""Its socket, and one of a long body (`inflow.py`), of a file, or of a call to a provider."""
_OTHERS = 256
"""Databases, logs, and what providers open at their start."""


def connections_within(wanted: int) -> int:
    """How many of so many connections this process has descriptors for, at least one. Where they are too few by
    default, more are asked for: as many as the system allows without special rights.
    """
    try:
        import resource
    except ImportError:  # not on every system
        return wanted
    needed = wanted * _PER_CONNECTION + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    with suppress(ValueError, OSError):  # macOS has a limit that it does not tell
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    room = max(1, (soft - _OTHERS) // _PER_CONNECTION)
    if room < wanted:
        log.warning(
            "fewer connections than the run config allows: this process may have few files open",
            extra={"connections": room, "wanted": wanted, "open_files": soft},
        )
    return min(wanted, room)
