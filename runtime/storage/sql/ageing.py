"""Removes rows by their age, a few at a time: so that a server that runs meanwhile writes in between.

A table says how its rows age (`Table.aged_by`), how they go (`Table.pruned`), and what they belong to
(`Table.part_of`): that goes in the same transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from runtime.storage.sql.conditions import ALL, Condition, above, below, either, eq
from runtime.storage.sql.dialects import quoted
from runtime.storage.sql.keys import with_keys
from runtime.storage.sql.migrations import full_name
from runtime.storage.sql.statements import Delete, Select, Statement, Update, select_sql
from runtime.storage.sql.store import SqlStore
from runtime.storage.sql.tables import Table

AT_ONCE = 500
"""The rows of one transaction."""
_WITH_PARTS = 20
"""By how much fewer they are where each takes rows of other tables along."""


def older_than(table: Table, before: float, now: float) -> Condition:
    """The rows of a table that ages whose age counts from before a time, and which are still there. before, now:
    seconds since 1970.
    """
    assert table.aged_by is not None
    old = below(table.aged_by, int(before) if table.kinds[table.aged_by] == "integer" else before)
    return old & not_expired(table, now)


def not_expired(table: Table, now: float) -> Condition:
    """Every row, but for what waits to be removed together with what it has outside of the store."""
    return either([eq("expires_at", None), above("expires_at", int(now))]) if table.pruned == "expire" else ALL


async def remove_older(store: SqlStore, table: Table, before: float, now: float) -> AsyncIterator[int]:
    """Remove them, and say after each transaction how many it has removed. Raises Unavailable."""
    old = older_than(table, before, now)
    at_once = max(1, AT_ONCE // _WITH_PARTS) if store.schema.parts_of(table) else AT_ONCE
    query = Select(table, old, table.key, (str(table.aged_by),), at_once)
    while rows := await store.select(query):
        which = with_keys(table, rows) & old
        marks = [_mark(part, theirs) for part, theirs in parts_of(store, table, which) if part.pruned == "expire"]
        *_, removed = await store.write(*marks, _removal(table, which))
        yield removed
        if len(rows) < at_once:
            return


def parts_of(store: SqlStore, table: Table, which: Condition) -> Iterator[tuple[Table, Condition]]:
    """Every table whose rows belong to some rows of this one, at any depth, and which of its rows those are."""
    for part in store.schema.parts_of(table):
        assert part.part_of is not None
        name = quoted(full_name(store.name, table.name))
        owners = select_sql(name, table.key, which.sql, order=(), limit=None)
        theirs = Condition(f"({', '.join(part.part_of.columns)}) IN ({owners})", which.values)
        yield part, theirs
        yield from parts_of(store, part, theirs)


def _removal(table: Table, which: Condition) -> Statement:
    """The parts that can go with it do: the database sees to that."""
    return _mark(table, which) if table.pruned == "expire" else Delete(table, which)


def _mark(table: Table, which: Condition) -> Update:
    return Update(table, {"expires_at": 0}, which)
