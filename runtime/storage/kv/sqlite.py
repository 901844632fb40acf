"""Keys and values in one SQLite file. Knows one table, not what the keys mean."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from runtime.errors import Unavailable
from runtime.storage.sqlite.config import SqliteKeyValueConfig
from runtime.storage.sqlite.database import Database

SCHEMA_VERSION = 1
_WHAT = "key-value store"

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


class SqliteKeyValueStore:
    """The store in the file at `path`, which is made if it is missing; used from one event loop.

    clock: seconds since the epoch. Raises Unavailable if the file cannot be opened.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._file = Database(path, _WHAT, set_up=lambda connection: _make_table(connection, path, clock()))

    async def get(self, key: str) -> bytes | None:
        now = self._clock()
        return await self._file.read(lambda connection: _live_value(connection, key, now))

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        key.encode()  # ValueError for surrogates, here and not in the writer
        now = self._clock()
        expires_at = None if ttl_s is None else now + ttl_s

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(_UPSERT, (key, value, expires_at))
            if expires_at is not None:  # a write of an expiring value also removes expired ones
                connection.execute("DELETE FROM kv WHERE expires_at <= ?", (now,))

        await self._file.write(write)

    async def delete(self, key: str) -> bool:
        now = self._clock()

        def write(connection: sqlite3.Connection) -> bool:
            was_there = _live_value(connection, key, now) is not None
            connection.execute("DELETE FROM kv WHERE key = ?", (key,))
            return was_there

        return await self._file.write(write)

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

        return await self._file.read(read)

    async def compare_and_set(self, key: str, expected: bytes | None, value: bytes) -> bool:
        key.encode()  # ValueError for surrogates, here and not in the writer
        now = self._clock()

        def write(connection: sqlite3.Connection) -> bool:
            if _live_value(connection, key, now) != expected:
                return False
            connection.execute(_UPSERT, (key, value, None))
            return True

        return await self._file.write(write)

    async def close(self) -> None:
        await self._file.close()


def open_sqlite(config: SqliteKeyValueConfig, state_dir: Path) -> SqliteKeyValueStore:
    """The store of a `kv_sqlite` backend. Raises Unavailable if its file cannot be opened."""
    return SqliteKeyValueStore(state_dir / config.db_path)


def _live_value(connection: sqlite3.Connection, key: str, now: float) -> bytes | None:
    row = connection.execute(_SELECT, (key, now)).fetchone()
    return bytes(row[0]) if row else None


def _make_table(connection: sqlite3.Connection, path: Path, now: float) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise Unavailable(
            f"the {_WHAT} `{path}` was written by a newer version: its schema is {version},"
            f" the newest known here {SCHEMA_VERSION}",
            hint="use that version, or another `db_path`",
        )
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("DELETE FROM kv WHERE expires_at <= ?", (now,))
