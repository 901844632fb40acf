"""Tables in one SQLite file: see `runtime.storage.sqlite` for its threads and its group commit."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from runtime.storage.sql.backend import Compiled
from runtime.storage.sql.dialects import SQLITE
from runtime.storage.sql.failures import Duplicate, Stale
from runtime.storage.sql.migrations import VERSIONS, check_version, creation, describe, migration
from runtime.storage.sql.tables import Schema
from runtime.storage.sqlite.config import SqliteSqlConfig
from runtime.storage.sqlite.database import Database

_WHAT = "database"
_TAKEN = ("SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE")
_RECORD = (
    f"INSERT INTO {VERSIONS.name} (name, store, version, tables) VALUES (?, ?, ?, ?)"  # noqa: S608  # ours
    " ON CONFLICT (name) DO UPDATE SET version = excluded.version, tables = excluded.tables"
)


class SqliteBackend:
    """The file at `path`, which is made if it is missing. Raises Unavailable if it cannot be opened."""

    dialect = SQLITE

    def __init__(self, path: Path) -> None:
        self._file = Database(path, _WHAT, set_up=_make_versions)
        self._path = path

    async def prepare(self, schema: Schema, name: str) -> None:
        store, found = await self._file.read(lambda connection: _version(connection, name))
        check_version(schema, store, found, f"`{self._path}`")
        if 0 < found < schema.version:
            await self._file.read(lambda connection: self._keep_copy(connection, schema, found))
        await self._file.write(lambda connection: self._migrate(connection, schema, name))

    async def write(self, statements: Sequence[Compiled]) -> list[int]:
        if len(statements) == 1 and statements[0].expect is None:
            [one] = statements
            return [await self._file.write(lambda connection: _run(connection, one), is_atomic=True)]
        return await self._file.write(lambda connection: [_run(connection, one) for one in statements])

    async def read(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        return await self._file.read(lambda connection: connection.execute(sql, values).fetchall())

    async def close(self) -> None:
        await self._file.close()

    def _migrate(self, connection: sqlite3.Connection, schema: Schema, name: str) -> None:
        """In one transaction: it is done, or nothing of it; another process may have been faster."""
        store, version = _version(connection, name)
        check_version(schema, store, version, f"`{self._path}`")
        if version == 0:
            steps = creation(SQLITE, schema, name)
        else:
            passed = range(version, schema.version)
            steps = [sql for one in passed for sql in migration(SQLITE, schema, name, one)]
        for sql in steps:
            connection.execute(sql)
        tables = msgspec.json.encode(describe(schema, name)).decode()
        connection.execute(_RECORD, (name, schema.name, schema.version, tables))

    def _keep_copy(self, connection: sqlite3.Connection, schema: Schema, version: int) -> None:
        """A whole copy beside the file: to go back, stop the server and put it in the file's place."""
        day = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        copy = self._path.with_name(f"{self._path.name}.before-{schema.name}-{version + 1}.{day}")
        with closing(sqlite3.connect(copy)) as target:
            connection.backup(target)
        copy.chmod(0o600)


def open_sqlite(config: SqliteSqlConfig, state_dir: Path) -> SqliteBackend:
    """The database of a `sql_sqlite` backend. Raises Unavailable if its file cannot be opened."""
    return SqliteBackend(state_dir / config.db_path)


def _make_versions(connection: sqlite3.Connection) -> None:
    [sql] = SQLITE.create(VERSIONS.name, VERSIONS)
    connection.execute(sql.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))


def _version(connection: sqlite3.Connection, name: str) -> tuple[str, int]:
    query = f"SELECT store, version FROM {VERSIONS.name} WHERE name = ?"  # noqa: S608  # ours
    row = connection.execute(query, (name,)).fetchone()
    return (row[0], row[1]) if row else ("", 0)


def _run(connection: sqlite3.Connection, statement: Compiled) -> int:
    try:
        changed = connection.execute(statement.sql, statement.values).rowcount
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorname not in _TAKEN:
            raise
        raise Duplicate(f"a row like this is there already: {error}") from error
    if statement.expect is not None and changed != statement.expect:
        raise Stale(f"{changed} rows were there to change, not {statement.expect}")
    return changed
