"""Rows by their keys: which they are, and all of a table in the order of its key, a few at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from runtime.storage.sql.conditions import ALL, Condition, before_or_at, either, eq, every, one_of
from runtime.storage.sql.statements import Select
from runtime.storage.sql.store import Row, SqlStore
from runtime.storage.sql.tables import Table


def with_keys(table: Table, rows: Sequence[Mapping[str, Any]]) -> Condition:
    """The rows that have the key of one of these."""
    if len(table.key) == 1:
        return one_of(table.key[0], [row[table.key[0]] for row in rows])
    return either([every(eq(column, row[column]) for column in table.key) for row in rows])


async def pages_of(store: SqlStore, table: Table, *, where: Condition = ALL, at_once: int) -> AsyncIterator[list[Row]]:
    """All rows in pages, by their key; each once, also if others write meanwhile. Raises Unavailable."""
    bounds = where
    while rows := await store.select(Select(table, bounds, order=table.key, limit=at_once)):
        yield rows
        if len(rows) < at_once:
            return
        bounds = where & before_or_at(table.key, [rows[-1][column] for column in table.key], ">")
