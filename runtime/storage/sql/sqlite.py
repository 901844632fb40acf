"""Tables in one SQLite file: see `runtime.storage.sqlite` for its threads and its group commit."""

from __future__ import annotations

import asyncio
import glob
import logging
import shlex
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext, suppress
from copy import copy
from pathlib import Path
from typing import Any

import msgspec

from runtime.storage.sql.backend import Compiled
from runtime.storage.sql.dialects import SQLITE
from runtime.storage.sql.failures import Duplicate, Stale
from runtime.storage.sql.migrations import (
    VERSIONS,
    Copy,
    check_version,
    copy_name,
    describe,
    passed,
    steps,
    tables_in,
    taken,
)
from runtime.storage.sql.tables import Schema
from runtime.storage.sqlite.config import SqliteSqlConfig
from runtime.storage.sqlite.database import Database
from runtime.storage.sqlite.files import compact, copy_from, copy_to
from runtime.storage.sqlite.writer import NewRow

log = logging.getLogger(__name__)
_WHAT = "database"
_TAKEN = ("SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE")
_WITHOUT_OWNER = "SQLITE_CONSTRAINT_FOREIGNKEY"
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
        self._places: AbstractAsyncContextManager[None] = nullcontext()

    async def prepare(self, schema: Schema, name: str) -> None:
        """See SqlBackend. If another process does it at the same time, this waits for it."""
        store, found = await self._file.read(lambda connection: _version(connection, name))
        check_version(schema, store, found, f"`{self._path}`")
        if found < schema.version:
            way_back = await self._file.write(lambda connection: self._migrate(connection, schema, name))
            if way_back:
                for copy in passed(await self.copies(), schema):
                    with suppress(OSError):  # they only take room
                        self._copy_file(copy).unlink()
                about = {"store": schema.name, "version": schema.version, "way_back": way_back}
                log.warning("tables migrated", extra=about)

    async def write(self, statements: Sequence[Compiled]) -> list[int]:
        async with self._places:
            if len(statements) == 1 and statements[0].expect is None:
                [one] = statements
                row = NewRow(one.sql, one.values) if one.adds_one and one.sql.endswith(")") else None
                return [await self._file.write(lambda connection: _run(connection, one), is_atomic=True, row=row)]
            return await self._file.write(lambda connection: [_run(connection, one) for one in statements])

    def with_queue(self, *, writers: int | None, max_waiting: int | None) -> SqliteBackend:
        """A file has one writer, whose queue all stores share; each may have fewer places in it."""
        part = copy(self)
        if max_waiting is not None:
            part._places = asyncio.Semaphore(max_waiting)
        return part

    async def read(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        return await self._file.read(lambda connection: connection.execute(sql, values).fetchall())

    async def read_each(self, queries: Sequence[tuple[str, Sequence[Any]]]) -> list[list[tuple[Any, ...]]]:
        return await self._file.read(
            lambda connection: [connection.execute(sql, values).fetchall() for sql, values in queries]
        )

    async def copies(self) -> list[Copy]:
        of = f"everything in `{self._path}`"
        found = []
        for file in self._copy_files():
            with suppress(FileNotFoundError):  # another process has removed it meanwhile
                name = file.name.removeprefix(f"{self._path.name}.")
                found.append(Copy.named(name, of=of, size_bytes=file.stat().st_size))
        return sorted(filter(None, found), key=lambda copy: -copy.made_at)

    async def restore(self, copy: Copy) -> None:
        """See SqlBackend. One transaction: it is done, or nothing of it."""
        file = self._copy_file(copy)
        await self._file.read(lambda connection: copy_from(file, connection))
        file.unlink()

    def _copy_file(self, copy: Copy) -> Path:
        return self._path.with_name(f"{self._path.name}.{copy.name}")

    def _copy_files(self) -> list[Path]:
        return [*self._path.parent.glob(f"{glob.escape(self._path.name)}.before_*")]

    async def compact(self) -> int:
        return await self._file.read(lambda connection: compact(connection, self._path))

    async def close(self) -> None:
        await self._file.close()

    def _migrate(self, connection: sqlite3.Connection, schema: Schema, name: str) -> str | None:
        """In one transaction: it is done, or nothing of it. Returns the command that leads back, where there were
        tables to migrate.
        """
        store, version = _version(connection, name)  # another process may have been faster
        check_version(schema, store, version, f"`{self._path}`")
        if version == schema.version:
            return None
        tables = describe(schema, name)
        if version == 0:
            self._check_free(connection, schema, tables_in(tables))
        with self._with_copy(schema) if version else nullcontext() as way_back:
            for sql in steps(SQLITE, schema, name, version):
                connection.execute(sql)
            connection.execute(_RECORD, (name, schema.name, schema.version, msgspec.json.encode(tables).decode()))
        return way_back

    def _check_free(self, connection: sqlite3.Connection, schema: Schema, tables: Sequence[str]) -> None:
        for table in tables:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                raise taken(schema, table, f"`{self._path}`")

    @contextmanager
    def _with_copy(self, schema: Schema) -> Iterator[str]:
        """Have a whole copy beside the file, as it was before the transaction that holds others off. The block gets the
        command that brings it back, for when no server uses the file.

        It has its name when the block has ended: one that is killed leaves a part, in whose place the next one writes.
        """
        kept = self._path.with_name(f"{self._path.name}.{copy_name(schema)}")
        part = self._path.with_name(f"{self._path.name}.before.part")
        file = shlex.quote(str(self._path))
        try:
            copy_to(self._path, part)
            yield f"rm -f {file}-wal {file}-shm && mv {shlex.quote(str(kept))} {file}"
            part.replace(kept)
        finally:
            part.unlink(missing_ok=True)


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
        if error.sqlite_errorname == _WITHOUT_OWNER:
            raise Stale("what a row is part of is not there") from error
        if error.sqlite_errorname not in _TAKEN:
            raise
        raise Duplicate(f"a row like this is there already: {error}") from error
    if statement.expect is not None and changed != statement.expect:
        raise Stale(f"{changed} rows were there to change, not {statement.expect}")
    return changed
