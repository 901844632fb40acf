"""What a run takes, as pid 1 sees it: every process of the container, its memory, its files.

The kernel holds what it can hold for each process (`worker.py`); this holds the sums.
"""

from __future__ import annotations

import contextlib
import os
import resource
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

DATA = "/mnt/data"
_IN_MEMORY = ("/tmp", "/dev/shm")  # noqa: S108  # the container's own
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """Of one run, from its making. limits: see `process.Limits`. timeout_s: how long it may take."""

    def __init__(self, limits: dict[str, Any], timeout_s: float) -> None:
        self._limits = limits
        self._ends_at = time.monotonic() + timeout_s
        self._cpu_before_s = _cpu_s([*_processes()])
        self._disk_at = 0.0

    def exceeded(self) -> str | None:
        """The name of a limit that was met."""
        if time.monotonic() > self._ends_at:
            return "time"
        running = [*_processes()]
        if _cpu_s(running) - self._cpu_before_s > self._limits["cpu_s"]:
            return "time"
        if sum(_threads(fields) for _, fields in running) >= self._limits["processes"] - 1:  # the kernel counts pid 1
            return "processes"
        if self._takes_memory([pid for pid, _ in running]):
            return "memory"
        return "disk" if self._takes_disk([pid for pid, _ in running]) else None

    def _takes_memory(self, pids: list[int]) -> bool:
        in_files = sum(_used_bytes(place) for place in _IN_MEMORY)
        if in_files + sum(map(_resident_bytes, pids)) <= self._limits["memory_bytes"]:
            return False
        return bool(in_files + sum(map(_share_bytes, pids)) > self._limits["memory_bytes"])

    def _takes_disk(self, pids: list[int]) -> bool:
        """Looks again only after ten times as long as it took, since a folder of many files takes a while."""
        began = time.monotonic()
        if began < self._disk_at:
            return False
        size, files = _folder(DATA, self._limits["files"])
        size += sum(map(_removed_bytes, pids))
        self._disk_at = time.monotonic() + min(1.0, 10 * (time.monotonic() - began))
        return bool(size >= self._limits["disk_bytes"] or files > self._limits["files"])


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Every process but this one, and the fields of its `stat` from the state on: man 5 proc."""
    for name in os.listdir("/proc"):
        if name.isdigit() and name != "1":
            with contextlib.suppress(OSError):
                yield int(name), _read(f"/proc/{name}/stat").rpartition(")")[2].split()


def _read(path: str) -> str:
    with open(path, errors="replace") as file:
        return file.read()


def _cpu_s(running: list[tuple[int, list[str]]]) -> float:
    """Processor time of all that runs and all that has ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + sum(sum(map(int, fields[11:15])) for _, fields in running) / _TICKS


def _threads(fields: list[str]) -> int:
    return int(fields[17])


def _resident_bytes(pid: int) -> int:
    try:
        return int(_read(f"/proc/{pid}/statm").split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def _share_bytes(pid: int) -> int:
    """Of what several processes share, each has its part."""
    try:
        lines = _read(f"/proc/{pid}/smaps_rollup").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Pss:", "SwapPss:")))


def _used_bytes(place: str) -> int:
    found = os.statvfs(place)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _folder(place: str, most: int) -> tuple[int, int]:
    """What a folder takes, in bytes, and how many files and folders are in it, counted to a few more than `most`. A
    part that cannot be looked into counts as too many.
    """
    size, count, waiting = 0, 0, [place]
    while waiting and count <= most:
        path = waiting.pop()
        try:
            _open_up(path)
            with os.scandir(path) as entries:
                for entry in entries:
                    count += 1
                    if count > most:
                        break
                    with contextlib.suppress(OSError):
                        size += entry.stat(follow_symlinks=False).st_blocks * 512
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
        except FileNotFoundError:
            continue
        except OSError:
            return size, most + 1
    return size, count


def _open_up(path: str) -> None:
    """Make a folder readable that its owner, whose code this is, has closed to itself. Raises OSError."""
    if not os.access(path, os.R_OK | os.X_OK):
        os.chmod(path, 0o700)


def _removed_bytes(pid: int) -> int:
    """What files take that were removed while a process has them open: these are in no folder."""
    size = 0
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found = os.stat(f"/proc/{pid}/fd/{name}")
                if found.st_nlink == 0 and stat.S_ISREG(found.st_mode):
                    size += found.st_blocks * 512
    return size
