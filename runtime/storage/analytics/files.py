"""The files of a DuckDB database, readable for their owner only. DuckDB itself makes them as the umask says, which is
the process's and cannot be changed for a moment.

    analytics.duckdb        made in a folder of its own, and moved when it is complete
    analytics.duckdb.wal    what is not in the file yet; made by us before each write, since DuckDB removes it
    analytics.duckdb.tmp/   what does not fit into memory
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import duckdb


def make(path: Path) -> None:
    """Make a database if it is missing, and its folder. Raises OSError, duckdb.Error."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True, mode=0o700)
    if path.exists():
        return
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:  # 0700
        made = Path(folder) / path.name
        duckdb.connect(str(made)).close()
        made.chmod(0o600)
        with suppress(FileExistsError):  # another process was quicker
            os.link(made, path)


def make_log(path: Path) -> None:
    """Make the log of a database before DuckDB would; it takes what is there, and an empty one is none. Raises
    OSError.
    """
    os.close(os.open(f"{path}.wal", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def make_temporary(path: Path) -> None:
    """Make the folder for what does not fit into memory, where DuckDB would. Raises OSError."""
    Path(f"{path}.tmp").mkdir(mode=0o700, exist_ok=True)


def tidy(path: Path) -> None:
    """Remove what a database that was closed does not need."""
    log = Path(f"{path}.wal")
    with suppress(OSError):
        if not log.stat().st_size:
            log.unlink()
    with suppress(OSError):
        Path(f"{path}.tmp").rmdir()
