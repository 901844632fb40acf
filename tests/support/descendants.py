"""The processes that a process has started."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress

import psutil


def children(pid: int | None = None) -> list[psutil.Process]:
    """Of one process, this one without a pid.

    `psutil.Process.children` compares the times at which they began, by a clock that may be set meanwhile: then it
    finds none.
    """
    return _below(os.getpid() if pid is None else pid, _started())


def descendants(pid: int | None = None) -> list[psutil.Process]:
    """Its children, theirs and so on."""
    started = _started()
    found = _below(os.getpid() if pid is None else pid, started)
    for one in found:
        found += _below(one.pid, started)
    return found


def command_line(process: psutil.Process) -> list[str]:
    """Empty for one that has ended meanwhile."""
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def _started() -> dict[int, list[psutil.Process]]:
    """The processes there are, by the one that each has as its parent now."""
    found = defaultdict(list)
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended
            found[process.ppid()].append(process)
    return found


def _below(pid: int, started: dict[int, list[psutil.Process]]) -> list[psutil.Process]:
    return list(started.get(pid, ()))
