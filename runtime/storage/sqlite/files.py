"""Opens SQLite files. Every SQLite file of the stack is opened here, so that each is opened the same way.

WAL mode, so that readers never wait for a writer; `synchronous=FULL`, with which a commit survives a power failure as
well as a kill (https://sqlite.org/wal.html, section 3.2); foreign keys; and a wait for other processes' transactions
instead of `database is locked`. All writes begin with `BEGIN IMMEDIATE`: a transaction that reads first and asks for
the right to write later would be refused at once if another process wrote meanwhile, whatever the wait.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from runtime.errors import StorageFull, Unavailable

BUSY_S = 30.0
"""How long to wait for another process's transaction."""
_HELD, _PRIMARY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED), 0xFF
"""Results that mean that; https://sqlite.org/rescode.html: the lowest byte is what an extended code is a kind of."""


def prepare(path: Path, what: str) -> None:
    """Make a file if it is missing, readable for its owner only, in WAL mode. what: what it is called in messages.

    Raises Unavailable if it cannot be written or is no database.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Before SQLite would make it readable for everybody; its -wal and -shm files get the same permissions.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = connect(path)
    except (OSError, sqlite3.Error) as error:
        raise unavailable(path, what, "opened", error) from error
    try:
        _change_to_wal(connection)
    except sqlite3.Error as error:
        raise unavailable(path, what, "opened", error) from error
    finally:
        connection.close()


class DatabaseFile:
    """The file at a path as it is now, to notice before each commit that somebody has taken it away: SQLite would go on
    without it, and what it says is on disk would be nowhere. Another file in its place is not used either, since SQLite
    cannot change over.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.stat()

    def check(self) -> None:
        """Raises FileNotFoundError while the file is not there, OSError where that cannot be known."""
        try:
            is_there = os.path.samestat(self._path.stat(), self._file)
        except FileNotFoundError:
            is_there = False
        if not is_there:
            raise FileNotFoundError(errno.ENOENT, "somebody has removed or replaced it; put it back, or start again")


def connect(path: Path) -> sqlite3.Connection:
    """A connection without Python's own transactions. One thread uses it; another one may close it."""
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def copy_to(path: Path, copy: Path) -> None:
    """Copy what is committed in a file to another one, in place of what that has. Raises OSError, sqlite3.Error."""
    with closing(connect(path)) as source:
        os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
        with closing(connect(copy)) as target:
            source.backup(target)


def copy_from(copy: Path, connection: sqlite3.Connection) -> None:
    """Replace everything in a file by what is in a copy of it, at once. Raises sqlite3.Error."""
    with closing(connect(copy)) as source:
        source.backup(connection)


def compact(connection: sqlite3.Connection, path: Path) -> int:
    """Write a file anew without what deleted rows have left in it, for which other writers wait. Returns the bytes by
    which it is smaller. Raises sqlite3.Error.
    """
    before = size_of(path)
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return max(0, before - size_of(path))


def size_of(path: Path, log: str = "{}-wal") -> int:
    """The bytes of a file, with what is not written into it yet; 0 if it is not there. log: the name of the file which
    has that.
    """
    parts = [path, path.with_name(log.format(path.name))]
    return sum(part.stat().st_size for part in parts if part.exists())


def unavailable(path: Path, what: str, verb: str, error: Exception) -> Unavailable:
    """The error for a file that cannot be used. verb: `opened`, `read` or `written`."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    hint = "check the disk and the permissions of its folder, or choose another `db_path`"
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    if code in _HELD:
        reason = f"another process has kept it locked for {BUSY_S:.0f} s"
        hint = "end what holds it, such as an open transaction of `sqlite3` or a backup; then it is used again"
    is_full = code == sqlite3.SQLITE_FULL or getattr(error, "errno", None) == errno.ENOSPC
    return (StorageFull if is_full else Unavailable)(
        f"the {what} `{path}` could not be {verb}: {reason}", hint=hint, code="storage_unavailable"
    )


def _change_to_wal(connection: sqlite3.Connection) -> None:
    """Change to WAL mode. If two processes do it at once, SQLite reports `locked` without waiting: wait here."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise sqlite3.OperationalError(f"its file system allows the journal mode `{mode}` only, not `wal`")
        return
