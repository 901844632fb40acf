"""Locks of files and folders, as the system keeps them: they end with their process, whatever ends that.

Knows nothing of what lies there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import NotSupported

if sys.platform == "win32":
    raise NotSupported("managed servers need file locks that Windows does not have", hint="run the stack inside WSL")

import fcntl


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder of ours, once nobody else does, for what is done in a moment: among the records of
    servers, no start begins and none is forgotten meanwhile.

    Raises OSError where the folder is not there, or its file system has no locks.
    """
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def is_locked(path: Path) -> bool:
    """Whether some process holds a file's lock. Asking takes a shared lock for an instant."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
