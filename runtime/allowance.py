"""What this process may use of the machine: CPUs and memory, within the bounds of its control groups. Standard library
only, since the command line imports it.

On Linux a group's bound holds for all groups inside it, so those above this process's own count too, up to the root. In
a container, what is seen as the root may be the container's own group: then the groups that the process is said to be
in are not there, and the root's bounds are the container's.
https://docs.kernel.org/admin-guide/cgroup-v2.html; version 1: https://docs.kernel.org/admin-guide/cgroup-v1/cgroups.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_GROUPS = Path("/sys/fs/cgroup")
_PROC = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """total_bytes: what there is. free_bytes: what is left of it. None where the system does not say."""

    total_bytes: int | None
    free_bytes: int | None


def usable_cpus() -> int:
    """Those that this process may run on, and that its control groups have the time of: whole ones, at least one."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    count = len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    shares = [*map(_share, _own_groups("")), *map(_older_share, _own_groups("cpu"))]
    return max(1, int(min([count, *(share for share in shares if share is not None)])))


def memory() -> Memory:
    """As it is now: free memory changes."""
    total, free = (_entry(_PROC / "meminfo", name) for name in ("MemTotal:", "MemAvailable:"))
    if total is not None:
        total *= 1024
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    totals, rooms = [total], [None if free is None else free * 1024]
    for limit, room in _bounds():
        totals.append(limit)
        rooms.append(room)
    return Memory(total_bytes=_least(totals), free_bytes=_least(rooms))


def _bounds() -> Iterator[tuple[int, int]]:
    """The memory of each group that has a bound, and what is left of it, in bytes."""
    versions = (
        ("", "memory.max", "memory.current", "inactive_file"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    )
    for controller, limit, usage, cache in versions:
        for group in _own_groups(controller):
            allowed, taken = _number(group / limit), _number(group / usage)
            if allowed is not None and taken is not None:
                # The file cache is given up when memory is needed. Counted as taken, it would make a container that
                # has read large files look full.
                yield allowed, max(0, allowed - taken + (_entry(group / "memory.stat", cache) or 0))


def _share(group: Path) -> float | None:
    """How many CPUs' time a group gets, in version 2: microseconds, or `max`, of a period."""
    try:
        allowed, period = (group / "cpu.max").read_text("ascii").split()
        return int(allowed) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _older_share(group: Path) -> float | None:
    """The same in version 1, where -1 stands for all."""
    allowed, period = (_number(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    return allowed / period if allowed and period and allowed > 0 else None


def _own_groups(controller: str) -> list[Path]:
    """The folders of this process's group and of those above it, up to the root. controller: of version 1; empty for
    version 2. Some may not be there.
    """
    root = _GROUPS / controller
    parts = PurePosixPath(_group_of(controller)).parts[1:]
    if ".." in parts:  # outside of what is seen here
        return [root]
    return [root.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def _group_of(controller: str) -> str:
    """The path of this process's group. Lines are `number:controllers:path`, of version 2 without controllers."""
    try:
        lines = (_PROC / "self" / "cgroup").read_text("utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return "/"
    groups = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    return next((path for _, controllers, path in groups if controller in controllers.split(",")), "/")


def _least(numbers: list[int | None]) -> int | None:
    return min((number for number in numbers if number is not None), default=None)


def _entry(path: Path, name: str) -> int | None:
    """The number behind `name` in a file of `name number` lines; None where either is missing."""
    try:
        lines = path.read_text("ascii").splitlines()
    except OSError:
        return None
    return next((int(fields[1]) for fields in map(str.split, lines) if fields[:1] == [name]), None)


def _number(path: Path) -> int | None:
    """The number in a file; None where there is no such file or it says `max`."""
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None
