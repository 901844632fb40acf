"""The folder in which a database of this process has its files: made for its owner only, and one opener's at a time
where the library does not see to that itself.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from pathlib import Path

from runtime.storage.state_folder import take_lock

log = logging.getLogger(__name__)
_LOCK = ".lock"


def make(folder: Path) -> None:
    """Make a folder, and those above it that are missing. Raises OSError."""
    for one in reversed([folder, *folder.parents]):
        if not one.exists():
            one.mkdir(mode=0o700, exist_ok=True)


def make_file(path: Path) -> None:
    """Make an empty file, readable for its owner only, unless it is there. Raises OSError."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def hold(folder: Path) -> int | None:
    """Lock a folder until the descriptor that this returns is closed; None where its file system has no locks, which is
    logged. Raises OSError if another process, or another database of this one, has it.
    """
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        is_ours = take_lock(lock, wait_s=0.0)
    except OSError as error:
        os.close(lock)
        log.warning("folder not locked", extra={"folder": str(folder), "error": error.strerror})
        return None
    if not is_ours:
        os.close(lock)
        raise OSError(errno.EBUSY, f"another server, or another provider, has the folder `{folder}` open")
    return lock


def check_room(folder: Path, size_bytes: int) -> None:
    """Raises OSError if there is less room than that on the disk of a folder."""
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        left, needed = free / 1e6, size_bytes / 1e6
        raise OSError(errno.ENOSPC, f"its disk has {left:.1f} MB left, and a change may need {needed:.1f} MB")
