"""What a worker takes away from itself before it looks at a document: the network, other programs, and resources.

Two fences where the system has both: a network namespace without interfaces, which also holds for C libraries, and an
audit hook, which holds for Python everywhere. Linux calls are made by number from their headers; elsewhere, and where
they are forbidden, the hook is what remains.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # linux/prctl.h
_MAX_FILES, _MAX_WRITTEN_BYTES = 128, 256 * 1024 * 1024
_REFUSED = (
    *("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"),
    *("os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork", "os.forkpty", "pty.spawn", "ftplib.connect"),
)


def close_fence(programs: tuple[str, ...] = ()) -> None:
    """Take it away, for the rest of this process's life. programs: the paths of those that it may start."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
            libc.unshare(_CLONE_NEWNET)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _MAX_FILES)
    _limit(resource.RLIMIT_FSIZE, _MAX_WRITTEN_BYTES)
    with contextlib.suppress(OSError):
        os.nice(5)  # serving comes first

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event in _REFUSED or (event == "subprocess.Popen" and str(arguments[0]) not in programs):
            raise PermissionError(f"a document's reader may not do this: {event}")

    sys.addaudithook(watch)


def limit_work(*, memory_bytes: int, cpu_s: float) -> None:
    """Limit the next document: the address space of the process, and the processor time from now on."""
    _limit(resource.RLIMIT_AS, memory_bytes, is_final=False)
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + cpu_s) + 1, is_final=False)


def lift_memory_limit() -> None:
    """So that an answer can be written after the limit was met."""
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def memory_bytes() -> int:
    """What this process holds now, 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _limit(kind: int, value: int, *, is_final: bool = True) -> None:
    """Set the limit, or the nearest one that the system allows."""
    _, highest = resource.getrlimit(kind)
    if highest != resource.RLIM_INFINITY:
        value = min(value, highest)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, value if is_final else highest))
