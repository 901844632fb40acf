"""This machine: Python, disk, memory, processor, clock. Reads files of the system; starts nothing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from llama_cli.checkup.findings import Check, Finding, Patient, error, ok, warning
from llama_cli.terminal import words
from runtime import allowance
from runtime.clock import wall_time

_GB = 10**9
_DISK_LEAST, _DISK_GOOD = 1 * _GB, 5 * _GB
"""A distribution with our own engine takes about a gigabyte, a copy of torch for GPUs several."""
_MEMORY_GOOD = 1 * _GB
_FILES_GOOD = 50_000
_FUTURE_S = 24 * 3600.0
_FIRST_YEAR = 2026


def python(patient: Patient) -> Iterator[Finding]:
    """The interpreter that runs us, from which distributions get theirs."""
    bits = 64 if sys.maxsize > 2**32 else 32
    words = f"Python {platform.python_version()} ({platform.system()} {platform.machine()}) at {sys.executable}"
    if bits == 32:
        fix = "install a 64-bit Python, and us with it"
        yield error("python/32-bit", f"{words} is a 32-bit build, for which there is no torch", fix=fix)
    else:
        yield ok("python/ok", words)


def disk(patient: Patient) -> Iterator[Finding]:
    """Room where we write: the Llama home, uv's cache, temporary files; each disk once."""
    places = {
        "the Llama home": (patient.home, "llama stack prune"),
        "uv's cache": (uv_cache(patient.environment), "uv cache prune"),
        "temporary files": (Path(tempfile.gettempdir()), "set `TMPDIR` to a folder on a larger disk"),
    }
    seen: dict[int, str] = {}
    for what, (path, fix) in places.items():
        there = next(parent for parent in (path, *path.parents) if os.path.exists(parent))  # noqa: PTH110  # may be closed
        device = there.stat().st_dev
        if device in seen:
            continue
        seen[device] = what
        free = shutil.disk_usage(there).free
        said = f"{words.size(free)} free for {what} ({path})"
        if free < _DISK_LEAST:
            yield error("disk/full", said, about=what, cause="a build can need more than a gigabyte", fix=fix)
        elif free < _DISK_GOOD:
            yield warning("disk/low", said, about=what, cause="a build with torch for GPUs needs more", fix=fix)
        elif (left := _files_left(there)) is not None and left < _FILES_GOOD:
            cause = f"only {left} more files can be made there; an environment has tens of thousands"
            yield warning("disk/files", said, about=what, cause=cause, fix=fix)
        else:
            yield ok("disk/ok", said, about=what)


def _files_left(place: Path) -> int | None:
    """How many more files its file system can hold; None where it has no such bound."""
    if not hasattr(os, "statvfs"):
        return None
    found = os.statvfs(place)
    return found.f_favail if found.f_files > 0 else None


def uv_cache(environment: Mapping[str, str]) -> Path:
    """Where uv keeps packages (https://docs.astral.sh/uv/concepts/cache/)."""
    if given := environment.get("UV_CACHE_DIR"):
        return Path(given)
    return Path(environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or "/") / ".cache") / "uv"


def memory(patient: Patient) -> Iterator[Finding]:
    """What there is and what is free, within the limits of a container."""
    found = allowance.memory()
    total, free = found.total_bytes, found.free_bytes
    if total is None:
        yield ok("memory/unknown", "this system does not say how much memory it has")
        return
    said = f"{words.size(total)} of memory" + (f", {words.size(free)} of it free" if free is not None else "")
    if free is not None and free < _MEMORY_GOOD:
        fix = "end what is not needed, or serve remote models: `llama stack run remote`"
        yield warning("memory/low", said, cause="our own engine needs about a gigabyte for its small model", fix=fix)
    else:
        yield ok("memory/ok", said)


def processor(patient: Patient) -> Iterator[Finding]:
    """How many cores we may use, and whether the processor has what torch is compiled for."""
    count, flags = allowance.usable_cpus(), set(_flags())
    said = f"{words.counted(count, 'core')}, {platform.machine()}"
    if platform.machine() in ("x86_64", "AMD64") and flags and "avx2" not in flags:
        cause = "the processor has no AVX2, for which our engine's libraries are compiled"
        fix = "serve remote models: `llama stack run remote`"
        yield warning("processor/no-avx2", said, cause=cause, fix=fix)
        return
    good = [name for name in ("avx2", "avx512f", "amx_tile", "asimd", "sve") if name in flags]
    yield ok("processor/ok", said + (f" with {', '.join(good)}" if good else ""))


def clock(patient: Patient) -> Iterator[Finding]:
    """A clock that is wrong breaks certificates and the ages of files. A server's is compared where it is asked."""
    now = wall_time()
    if time.gmtime(now).tm_year < _FIRST_YEAR:
        said = f"the clock says {time.strftime('%Y-%m-%d', time.gmtime(now))}, which is past"
        yield error("clock/wrong", said, cause="certificates are not valid yet then", fix="set the clock, or start NTP")
        return
    future = [path for path in _written(patient.home) if path.stat().st_mtime > now + _FUTURE_S]
    if future:
        said = f"`{future[0]}` was written in the future"
        yield warning(
            "clock/jumped", said, cause="the clock was wrong then, or is now", fix="set the clock, or start NTP"
        )
    else:
        yield ok("clock/ok", f"the clock says {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(now))}")


def _written(home: Path) -> Iterator[Path]:
    for pattern in ("servers/*.json", "distributions/*/run.yaml", "distributions/*/pylock.toml"):
        yield from home.glob(pattern)


def _flags() -> list[str]:
    for line in _lines(Path("/proc/cpuinfo")):
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return value.split()
    return []


def _lines(path: Path) -> list[str]:
    """None of them where the system has no such file."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


CHECKS = (
    Check(name="python", ask=python),
    Check(name="disk", ask=disk),
    Check(name="memory", ask=memory),
    Check(name="processor", ask=processor),
    Check(name="clock", ask=clock),
)
