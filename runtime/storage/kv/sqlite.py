"""Keys and values in one SQLite file. Knows one table, not what the keys mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from runtime.clock import wall_time
from runtime.errors import Unavailable
from runtime.storage.kv import Change, KeyValue, KeyValueStore, Put, check_keys
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
_DELETE = "DELETE FROM kv WHERE key = ?"
_LIVE = "(expires_at IS NULL OR expires_at > ?)"
_SELECT = f"SELECT value FROM kv WHERE key = ? AND {_LIVE}"  # noqa: S608  # ours


class SqliteKeyValueStore(KeyValueStore):
    """The store in the file at `path`, which is made if it is missing; used from one event loop.

    clock: seconds since the epoch. Raises Unavailable if the file cannot be opened.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = wall_time) -> None:
        self._clock = clock
        self._file = Database(path, _WHAT, set_up=lambda connection: _make_table(connection, path, clock()))

    async def get(self, key: str) -> bytes | None:
        now = self._clock()
        return await self._file.read(lambda connection: _live_value(connection, key, now))

    async def write(self, *changes: Change, expected: Mapping[str, bytes | None] | None = None) -> bool:
        checks = expected or {}
        check_keys(*checks, *(change.key for change in changes))  # here and not in the writer
        now = self._clock()
        expires = any(isinstance(change, Put) and change.expires for change in changes)

        def write(connection: sqlite3.Connection) -> bool:
            if any(_live_value(connection, key, now) != value for key, value in checks.items()):
                return False
            for change in changes:
                if isinstance(change, Put):
                    connection.execute(_UPSERT, (change.key, change.value, change.end(now)))
                else:
                    connection.execute(_DELETE, (change.key,))
            if expires:  # a write of an expiring value also removes expired ones
                connection.execute("DELETE FROM kv WHERE expires_at <= ?", (now,))
            return True

        return await self._file.write(write, is_atomic=len(changes) == 1 and not checks and not expires)

    async def delete(self, key: str) -> bool:
        now = self._clock()

        def write(connection: sqlite3.Connection) -> bool:
            was_there = _live_value(connection, key, now) is not None
            connection.execute(_DELETE, (key,))
            return was_there

        return await self._file.write(write)

    async def entries(self, prefix: str, *, after: str | None = None, limit: int | None = None) -> list[KeyValue]:
        now = self._clock()
        beyond = "? IS NULL" if after is None else "key > ?"
        query = f"SELECT key, value, expires_at FROM kv WHERE key >= ? AND {beyond} AND {_LIVE} ORDER BY key"  # noqa: S608  # ours

        def read(connection: sqlite3.Connection) -> list[KeyValue]:
            found: list[KeyValue] = []
            rows = connection.execute(query, (prefix, after, now))
            for key, value, expires_at in rows:
                if not key.startswith(prefix) or (limit is not None and len(found) >= limit):
                    break
                found.append(KeyValue(key, bytes(value), expires_at))
            rows.close()
            return found

        return await self._file.read(read)

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
