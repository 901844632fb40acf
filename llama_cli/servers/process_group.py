"""Everything that a server has started. It leads a session of its own, so that its group names all of it, also what
has outlived its parent.

psutil tells a process from a later one with the same pid, and measures memory alike on every system. It is imported
here only, since it costs as much as a listing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

import psutil


def members(group: int) -> set[psutil.Process]:
    """The living processes of the group that a server leads; empty where `group` leads none."""
    found = set()
    for pid in psutil.pids():
        with suppress(OSError, psutil.Error):
            if os.getpgid(pid) == os.getsid(pid) == group and lives(process := psutil.Process(pid)):
                found.add(process)
    return found


def lives(process: psutil.Process) -> bool:
    """Whether it is still there; one that only waits for its parent to ask how it ended is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def kill(group: int, seen: Iterable[psutil.Process] = ()) -> None:
    """Kill what is left of a group: those seen in it before, and those in it now. Waits for none of them."""
    for process in {*seen, *members(group)}:
        with suppress(OSError, psutil.Error):
            if process.is_running() and os.getpgid(process.pid) == group:
                process.kill()


def memory_bytes(pid: int) -> int | None:
    """Resident memory of a server and of what it has started; None where the system does not say."""
    total = 0
    with suppress(psutil.Error):
        for process in members(pid) or {psutil.Process(pid)}:
            with suppress(psutil.Error):
                total += process.memory_info().rss
    return total or None
