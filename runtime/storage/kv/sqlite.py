"""Keys and values in one SQLite file. Knows one table and two threads, not what the keys mean.

One thread writes and one reads, each with its own connection; several processes may have the file open at once.

    set(), delete(), ...  ->  queue  ->  writer: BEGIN, all waiting changes, COMMIT (fsync)  ->  all of them return
                                         later changes wait for the next transaction

A commit needs an fsync, and one fsync serves all changes that arrived during the last one: without a timer, and without
a delay for a single change. `synchronous=FULL` makes a commit in WAL mode survive a power failure as well as a kill
(https://sqlite.org/wal.html, section 3.2).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from runtime.errors import Unavailable
from runtime.storage.backends import SqliteKeyValueConfig

T = TypeVar("T")

SCHEMA_VERSION = 1
_BUSY_S = 10.0  # how long to wait for another process's transaction
_MAX_WAITING = 1024  # writes that may be pending before further callers wait
_MAX_BATCH = 256  # writes in one transaction, so that the first of many does not wait for the last

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires_at REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS kv_expiry ON kv (expires_at) WHERE expires_at IS NOT NULL;
"""
_UPSERT = """
INSERT INTO kv (key, value, expires_at) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""
_LIVE = "(expires_at IS NULL OR expires_at > ?)"
_SELECT = f"SELECT value FROM kv WHERE key = ? AND {_LIVE}"  # noqa: S608  # ours

Work = Callable[[sqlite3.Connection], Any]


@dataclass(frozen=True, slots=True)
class _Write:
    """One pending change: its work within the writer's transaction, and the future for its result."""

    work: Work
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class SqliteKeyValueStore:
    """The store in the file at `path`, which is made if it is missing; used from one event loop.

    clock: seconds since the epoch. Raises Unavailable if the file cannot be opened.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        _prepare(path, clock())
        self._path = path
        self._clock = clock
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kv-read")
        self._reading: sqlite3.Connection | None = None
        self._writer = _Writer(path)
        self._places = asyncio.Semaphore(_MAX_WAITING)
        self._closed = False

    async def get(self, key: str) -> bytes | None:
        now = self._clock()

        def read(connection: sqlite3.Connection) -> bytes | None:
            return _live_value(connection, key, now)

        return await self._read(read)

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        key.encode()  # ValueError for surrogates, here and not in the writer
        now = self._clock()
        expires_at = None if ttl_s is None else now + ttl_s

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(_UPSERT, (key, value, expires_at))
            if expires_at is not None:  # a write of an expiring value also removes expired ones
                connection.execute("DELETE FROM kv WHERE expires_at <= ?", (now,))

        await self._write(write)

    async def delete(self, key: str) -> bool:
        now = self._clock()

        def write(connection: sqlite3.Connection) -> bool:
            was_there = _live_value(connection, key, now) is not None
            connection.execute("DELETE FROM kv WHERE key = ?", (key,))
            return was_there

        return await self._write(write)

    async def scan(self, prefix: str, *, after: str | None = None, limit: int | None = None) -> list[tuple[str, bytes]]:
        now = self._clock()
        beyond = "? IS NULL" if after is None else "key > ?"
        query = f"SELECT key, value FROM kv WHERE key >= ? AND {beyond} AND {_LIVE} ORDER BY key"  # noqa: S608  # ours

        def read(connection: sqlite3.Connection) -> list[tuple[str, bytes]]:
            found: list[tuple[str, bytes]] = []
            rows = connection.execute(query, (prefix, after, now))
            for key, value in rows:
                if not key.startswith(prefix) or (limit is not None and len(found) >= limit):
                    break
                found.append((key, bytes(value)))
            rows.close()
            return found

        return await self._read(read)

    async def compare_and_set(self, key: str, expected: bytes | None, value: bytes) -> bool:
        key.encode()  # ValueError for surrogates, here and not in the writer
        now = self._clock()

        def write(connection: sqlite3.Connection) -> bool:
            if _live_value(connection, key, now) != expected:
                return False
            connection.execute(_UPSERT, (key, value, None))
            return True

        return await self._write(write)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._writer.stop)
        await asyncio.to_thread(self._stop_reading)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._read_now, work)

    def _read_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._reading is None:
                self._reading = _connect(self._path)
            return work(self._reading)
        except sqlite3.Error as error:
            raise _unavailable(self._path, "read", error) from error

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reader.submit(self._reading.close).result()
        self._reader.shutdown()

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._check_open()
        async with self._places:
            self._check_open()
            loop = asyncio.get_running_loop()
            future: asyncio.Future[T] = loop.create_future()
            self._writer.put(_Write(work, future, loop))
            return await future

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the key-value store is closed")


def open_sqlite(config: SqliteKeyValueConfig, state_dir: Path) -> SqliteKeyValueStore:
    """The store of a `kv_sqlite` backend. Raises Unavailable if its file cannot be opened."""
    return SqliteKeyValueStore(state_dir / config.db_path)


class _Writer:
    """The only thread that changes the file: commits all waiting changes together, and returns their results."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: deque[_Write] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="kv-write", daemon=True)
        self._thread.start()

    def put(self, write: _Write) -> None:
        with self._changed:
            self._waiting.append(write)
            self._changed.notify()

    def stop(self) -> None:
        """Returns when everything that waits has been committed."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        try:
            while batch := self._next_batch():
                try:
                    connection = connection or _connect(self._path)
                    outcomes = _commit_together(connection, batch)
                except Exception as error:  # all callers must get it, and the thread must continue
                    outcomes = [error] * len(batch)
                _return_outcomes(batch, [self._as_ours(outcome) for outcome in outcomes])
        finally:
            if connection is not None:
                connection.close()

    def _as_ours(self, outcome: Any) -> Any:
        if not isinstance(outcome, sqlite3.Error):
            return outcome
        failure = _unavailable(self._path, "written", outcome)
        failure.__cause__ = outcome
        return failure

    def _next_batch(self) -> list[_Write]:
        """Waits for changes, and returns them up to a maximum; empty when the thread should stop."""
        with self._changed:
            while not self._waiting and not self._stopping:
                self._changed.wait()
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), _MAX_BATCH))]


def _commit_together(connection: sqlite3.Connection, batch: Sequence[_Write]) -> list[Any]:
    """Each write's result, or its own exception. Raises if nothing of the batch was stored."""
    outcomes: list[Any] = []
    connection.execute("BEGIN IMMEDIATE")
    try:
        for write in batch:
            connection.execute("SAVEPOINT write")
            try:
                outcomes.append(write.work(connection))
            except Exception as error:
                if not connection.in_transaction:  # for example, a full disk ends the whole transaction
                    raise
                connection.execute("ROLLBACK TO write")
                outcomes.append(error)
            connection.execute("RELEASE write")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcomes


def _return_outcomes(batch: Sequence[_Write], outcomes: Sequence[Any]) -> None:
    """Return the outcomes to the callers, waking each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for write, outcome in zip(batch, outcomes, strict=True):
        by_loop.setdefault(write.loop, []).append((write.future, outcome))
    for loop, answers in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, answers)
        except RuntimeError:
            # The loop is closed: nothing waits any more, and the changes are stored.
            continue


def _settle(answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, outcome in answers:
        if future.done():  # cancelled: the caller left before the commit
            continue
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _live_value(connection: sqlite3.Connection, key: str, now: float) -> bytes | None:
    row = connection.execute(_SELECT, (key, now)).fetchone()
    return bytes(row[0]) if row else None


def _connect(path: Path) -> sqlite3.Connection:
    # check_same_thread: each connection is used by one thread, but closed by another.
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _prepare(path: Path, now: float) -> None:
    """Make the file with its permissions and its table."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Before SQLite would make it readable for everybody; its -wal and -shm files get the same permissions.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = _connect(path)
    except (OSError, sqlite3.Error) as error:
        raise _unavailable(path, "opened", error) from error
    try:
        _change_to_wal(connection)
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise Unavailable(
                f"the key-value store `{path}` was written by a newer version: its schema is {version},"
                f" the newest known here {SCHEMA_VERSION}",
                hint="use that version, or another `db_path`",
            )
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("DELETE FROM kv WHERE expires_at <= ?", (now,))
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise _unavailable(path, "opened", error) from error
    finally:
        connection.close()


def _change_to_wal(connection: sqlite3.Connection) -> None:
    """Change to WAL mode. If two processes do it at once, SQLite reports `locked` without waiting: wait here."""
    deadline = time.monotonic() + _BUSY_S
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


def _unavailable(path: Path, what: str, error: Exception) -> Unavailable:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return Unavailable(
        f"the key-value store `{path}` could not be {what}: {reason}",
        hint="check the disk and the permissions of its folder, or choose another `db_path`",
    )
