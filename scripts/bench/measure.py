"""CPU seconds, memory, and fair comparison: what every benchmark here measures with.

Knows /proc (so: Linux), `wait4`, and statistics over interleaved rounds. Knows no server and no subject. Standard
library only: a child's peak memory, as the kernel tells it, is never below its parent's, so whoever measures small
commands must be small.
"""

from __future__ import annotations

import contextlib
import os
import pty
import resource
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class CommandCost:
    """What one run of a command took.

    cpu_s: user and system, its children's included. peak_mb: resident, in 2**20 bytes.
    """

    cpu_s: float
    peak_mb: float


def run_command(
    command: Sequence[str], *, environment: Mapping[str, str], on_terminal: bool = False, may_fail: bool = False
) -> CommandCost:
    """Run a command to its end, its output read and thrown away. Raises CalledProcessError where it fails, unless it
    may.

    on_terminal: give it a pseudo-terminal of 24 x 100 instead of a pipe.
    """
    ours, theirs = pty.openpty() if on_terminal else os.pipe()
    if on_terminal:
        variables = {**environment, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "24"}
    else:
        variables = dict(environment)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=variables)
    os.close(theirs)
    output = bytearray()
    # Reading a pseudo-terminal whose other side is closed fails with EIO; that is its end.
    with contextlib.suppress(OSError):
        while data := os.read(ours, 65536):
            output += data
    os.close(ours)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 and not may_fail:
        raise subprocess.CalledProcessError(process.returncode, list(command), output=bytes(output))
    return CommandCost(cpu_s=used.ru_utime + used.ru_stime, peak_mb=used.ru_maxrss / 1024)


def own_peak_mb() -> float:
    """The least that `run_command` can see as a child's peak."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tree_cpu_s(pid: int) -> float:
    """CPU seconds of a process and all that it started, ended children included; exact to 0.01 s a process."""
    total = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            fields = _stat(member)
            total += sum(int(field) for field in fields[11:15])  # utime stime cutime cstime
    return total / _TICKS_PER_S


def threads_cpu_s(pid: int) -> float:
    """CPU seconds of all living threads of a process and its descendants, exact to the nanosecond; without those that
    have ended.

    `tree_cpu_s` counts ticks of the clock, which misses work that begins with a tick and ends before the next: such as
    that of a stream with an event every 20 ms.
    """
    total = 0
    for member in tree(pid):
        for thread in Path(f"/proc/{member}/task").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def tree(pid: int) -> list[int]:
    """A process and its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found = [pid]
    for member in found:
        found += children.get(member, ())
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state (the third) on; the name before it may hold blanks and brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Resident, and proportional (shared pages divided by who shares them), in 2**20 bytes, of a whole process tree."""

    rss_mb: float
    pss_mb: float


def tree_memory(pid: int) -> Memory:
    rss = pss = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name == "Rss":
                    rss += int(rest.split()[0])
                elif name == "Pss":
                    pss += int(rest.split()[0])
    return Memory(rss_mb=rss / 1024, pss_mb=pss / 1024)


def interleaved(subjects: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, list[float]]:
    """Measure every subject once a round, starting with another one each time: a busy neighbour meets all of them."""
    found: dict[str, list[float]] = {name: [] for name in subjects}
    names = list(subjects)
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            found[name].append(subjects[name]())
        say(f"round {turn + 1} of {rounds}")
    return found


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def ratios(values: Sequence[float], base: Sequence[float]) -> list[float]:
    """Round by round, so that what slowed a whole round cancels out."""
    return [value / unit for value, unit in zip(values, base, strict=True)]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """`median (least-most)`."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column to the left, figures to the right."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def machine() -> str:
    """Date, processor and load in words, for a table's caption."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    load = os.getloadavg()[0]
    now, python = datetime.now(UTC), sys.version.split()[0]
    return f"{now:%Y-%m-%d %H:%M} UTC, {os.cpu_count()} x {model}, load average {load:.1f}, Python {python}"


def say(text: str) -> None:
    """Progress; figures go to stdout."""
    print(text, file=sys.stderr, flush=True)


def pause(seconds: float) -> None:
    """Let a server be idle for a while."""
    threading.Event().wait(seconds)
