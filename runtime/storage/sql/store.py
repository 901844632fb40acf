"""The handle of one store's tables: turns statements into the database's own, and rows back into Python values."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from runtime.access import SYSTEM, Caller, sees_all
from runtime.errors import Unavailable
from runtime.storage.sql.backend import Compiled, SqlBackend
from runtime.storage.sql.conditions import ALL, Condition, owned_by, visible_to
from runtime.storage.sql.dialects import Dialect, quoted
from runtime.storage.sql.migrations import full_name
from runtime.storage.sql.ordered import ordered_sql
from runtime.storage.sql.statements import (
    SIZE,
    Delete,
    Groups,
    Insert,
    Select,
    Statement,
    Totals,
    Update,
    delete_sql,
    groups_sql,
    insert_sql,
    select_sql,
    totals_sql,
    update_sql,
)
from runtime.storage.sql.tables import Kind, Schema, Table
from runtime.storage.sql.walks import Walk, walk_sql

Row = dict[str, Any]
"""One row: values by column, `json` as Python values, `bytes` as bytes."""
_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder().decode


class SqlStore:
    """The tables of `schema`, the first of which is called `name` in the database.

    `for_user` gives the part of it that one user may see. Without that, as here, all rows are seen, and new ones belong
    to nobody. open_backend: opens the database at first use, unless `open` was called before. trouble: why the last
    write of anybody failed, if the database was the reason; else empty.
    """

    def __init__(self, open_backend: Callable[[], SqlBackend], schema: Schema, name: str) -> None:
        self.schema = schema
        self.name = name
        self._open_backend = open_backend
        self._backend: SqlBackend | None = None
        self._opening = asyncio.Lock()
        self._names = {table.name: quoted(full_name(name, table.name)) for table in schema.tables}
        self._user: Caller = SYSTEM
        self._visible = ALL
        self.trouble = ""

    async def open(self) -> SqlBackend:
        """The database, with this store's tables in it. Raises Unavailable if it cannot be used."""
        if self._backend is None:
            async with self._opening:
                if self._backend is None:
                    backend = self._open_backend()
                    await backend.prepare(self.schema, self.name)
                    self._backend = backend
        return self._backend

    def for_user(self, user: Caller) -> SqlStore:
        """The rows that a user may see, in tables whose rows have owners; new rows are the user's."""
        if sees_all(user):
            return self
        return _UsersPart(self, user)

    async def write(self, *statements: Statement) -> list[int]:
        """Do all of them or none. Returns how many rows each changed, once they are on disk.

        Raises Duplicate, Stale or Unavailable, all of which leave everything as it was.
        """
        backend = self._backend or await self.open()
        try:
            changed = await backend.write([self._compiled(backend, statement) for statement in statements])
        except Unavailable as error:
            self._note(error.message)
            raise
        self._note("")
        return changed

    async def select(self, query: Select) -> list[Row]:
        """The rows of a query. Raises Unavailable."""
        [rows] = await self.select_each(query)
        return rows

    async def select_each(self, *queries: Select) -> list[list[Row]]:
        """The rows of each query, asked for together: what waking a thread or a database costs is paid once. Another's
        write may come between two of them. Raises Unavailable.
        """
        backend = self._backend or await self.open()
        compiled = [self._read(backend, query) for query in queries]
        found = await backend.read_each([(sql, values) for sql, values, _ in compiled])
        return [decode(rows) for rows, (_, _, decode) in zip(found, compiled, strict=True)]

    async def first(self, query: Select) -> Row | None:
        """The first row of a query, or None. Raises Unavailable."""
        rows = await self.select(query if query.limit == 1 else _limited(query))
        return rows[0] if rows else None

    async def walk(self, query: Walk) -> list[Row]:
        """The rows of a walk, in its order. Raises Unavailable."""
        backend = self._backend or await self.open()
        size = _size(query.table, query.sizes, backend.dialect)
        visible = self._narrowed(query.table, ALL)
        sql, values = walk_sql(backend.dialect, self._names[query.table.name], query, size, visible)
        found = await backend.read(backend.dialect.text(sql), values)
        in_order = [row[:-1] for row in sorted(found, key=lambda row: row[-1])]
        return _rows(query.columns, _readers(query.table, query.columns), in_order)

    async def totals(self, query: Totals) -> dict[str, int]:
        """`count` and the sums that the query names. Raises Unavailable."""
        backend = self._backend or await self.open()
        where = self._narrowed(query.table, query.where)
        sql = totals_sql(self._names[query.table.name], query.sums, where.sql)
        [values] = await backend.read(backend.dialect.text(sql), where.values)
        return dict(zip(("count", *query.sums), map(int, values), strict=True))

    async def groups(self, query: Groups) -> list[Row]:
        """A row for each combination that occurs, in no order. Raises Unavailable."""
        backend = self._backend or await self.open()
        where = self._narrowed(query.table, query.where)
        sql = groups_sql(self._names[query.table.name], query.by, query.sums, where.sql)
        rows = await backend.read(backend.dialect.text(sql), where.values)
        known = len(query.by)
        names = (*query.by, "count", *query.sums)
        return [dict(zip(names, (*row[:known], *map(int, row[known:])), strict=True)) for row in rows]

    def _note(self, trouble: str) -> None:
        self.trouble = trouble

    def _read(self, backend: SqlBackend, query: Select) -> tuple[str, Sequence[Any], Callable[[Any], list[Row]]]:
        """The text of a query, its values, and what makes rows of what the database answers."""
        columns = query.columns or tuple(query.table.kinds)
        readers = _readers(query.table, columns)
        read = columns
        if query.sizes:
            size = _size(query.table, query.sizes, backend.dialect)
            columns, read, readers = (*columns, SIZE), (*columns, size), [*readers, None]
        if query.order and query.limit is not None:
            sql, values = ordered_sql(backend.dialect, full_name(self.name, query.table.name), query, read, self._user)
        else:
            where = self._narrowed(query.table, query.where)
            sql = select_sql(self._names[query.table.name], read, where.sql, query.order, query.limit)
            values = where.values
        return backend.dialect.text(sql), values, partial(_rows, columns, readers)

    def _compiled(self, backend: SqlBackend, statement: Statement) -> Compiled:
        table = statement.table
        name = self._names[table.name]
        if isinstance(statement, Insert):
            given = {**statement.values, **owned_by(self._user)} if table.has_owners else statement.values
            sql = insert_sql(name, table, tuple(given), statement.replace)
            values = _as_stored(table, given)
            if statement.replace and table.has_owners and not sees_all(self._user):
                seen = visible_to(self._user, f"{name}.")
                return Compiled(backend.dialect.text(f"{sql} WHERE {seen.sql}"), (*values, *seen.values), expect=1)
            return Compiled(backend.dialect.text(sql), values, adds_one=statement.replace != ())
        where = self._narrowed(table, statement.where)
        if isinstance(statement, Update):
            values = (*_as_stored(table, statement.values), *where.values)
            sql = update_sql(name, tuple(statement.values), where.sql)
            return Compiled(backend.dialect.text(sql), values, statement.expect)
        assert isinstance(statement, Delete)
        sql = delete_sql(name, table.key, where.sql, statement.limit)
        return Compiled(backend.dialect.text(sql), where.values, statement.expect)

    def _narrowed(self, table: Table, where: Condition) -> Condition:
        return where & self._visible if self._visible.sql and table.has_owners else where


class _UsersPart(SqlStore):
    """A store as one user sees it; the database is opened by the whole store."""

    def __init__(self, whole: SqlStore, user: Caller) -> None:
        self.schema = whole.schema
        self.name = whole.name
        self._whole = whole
        self._names = whole._names
        self._backend = whole._backend
        self._user = user
        self._visible = visible_to(user)

    async def open(self) -> SqlBackend:
        self._backend = await self._whole.open()
        return self._backend

    def for_user(self, user: Caller) -> SqlStore:
        return self._whole.for_user(user)

    def _note(self, trouble: str) -> None:
        self._whole._note(trouble)


def _size(table: Table, sizes: Collection[str], dialect: Dialect) -> str:
    """The bytes of `sizes` together, as an expression. No database reads columns of bytes for that."""
    sized = [dialect.size_of(column) for column in table.columns if column.name in sizes]
    return " + ".join(f"COALESCE({size}, 0)" for size in sized)


def _readers(table: Table, columns: Sequence[str]) -> list[Callable[[Any], Any] | None]:
    return [_READERS.get(table.kinds[column]) for column in columns]


def _rows(columns: Sequence[str], readers: Sequence[Callable[[Any], Any] | None], found: Any) -> list[Row]:
    if not any(readers):
        return [dict(zip(columns, row, strict=True)) for row in found]
    return [
        {
            column: value if read is None or value is None else read(value)
            for column, value, read in zip(columns, row, readers, strict=True)
        }
        for row in found
    ]


def _limited(query: Select) -> Select:
    return replace(query, limit=1)


def _as_stored(table: Table, values: Mapping[str, Any]) -> Sequence[Any]:
    kinds = table.kinds
    return [
        _to_json(value).decode() if kinds[name] == "json" and value is not None else value
        for name, value in values.items()
    ]


_READERS: dict[Kind, Callable[[Any], Any]] = {"json": _from_json, "bytes": bytes}
