"""Folders for uv to work in, among temporary files: gone when the work is, and told apart where it was killed."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime.clock import wall_time

_PREFIX = "llama-lock-"
"""Then comes the pid of who works there, and of an older version of ours none."""
_ABANDONED_S = 86_400.0


@contextmanager
def work_folder() -> Iterator[Path]:
    """A new one, for as long as the block runs. What killed builds have left goes first."""
    for place in abandoned():
        shutil.rmtree(place, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as folder:
        yield Path(folder)


def abandoned() -> list[Path]:
    """Folders of this user in which nobody works any more."""
    found = []
    for place in sorted(Path(tempfile.gettempdir()).glob(f"{_PREFIX}*")):
        with suppress(OSError):
            facts = place.lstat()
            pid = place.name.removeprefix(_PREFIX).partition("-")[0]
            is_left = not _runs(int(pid)) if pid.isdigit() else wall_time() - facts.st_mtime > _ABANDONED_S
            if is_left and stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid():
                found.append(place)
    return found


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
