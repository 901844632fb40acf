"""Removes rows by their age, a few at a time: so that a server that runs meanwhile writes in between.

A table says how its rows age (`Table.aged_by`) and how they go (`Table.pruned`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from runtime.storage.sql.conditions import ALL, Condition, above, below, either, eq
from runtime.storage.sql.keys import with_keys
from runtime.storage.sql.statements import Delete, Select, Statement, Update
from runtime.storage.sql.store import SqlStore
from runtime.storage.sql.tables import Table

AT_ONCE = 500
"""The rows of one transaction."""


def older_than(table: Table, before: float, now: float) -> Condition:
    """The rows of a table that ages whose age counts from before a time, and which are still there. before, now:
    seconds since 1970.
    """
    assert table.aged_by is not None
    old = below(table.aged_by, int(before) if table.kinds[table.aged_by] == "integer" else before)
    return old & not_expired(table, now)


def not_expired(table: Table, now: float) -> Condition:
    """Every row, but for what waits to be removed together with what it has outside of the database."""
    return either([eq("expires_at", None), above("expires_at", int(now))]) if table.pruned == "expire" else ALL


async def remove_older(store: SqlStore, table: Table, before: float, now: float) -> AsyncIterator[int]:
    """Remove them, and say after each transaction how many it has removed. Raises Unavailable."""
    old = older_than(table, before, now)
    query = Select(table, old, table.key, (str(table.aged_by),), AT_ONCE)
    while rows := await store.select(query):
        which = with_keys(table, rows) & old
        [removed] = await store.write(_removal(table, which))
        yield removed
        if len(rows) < AT_ONCE:
            return


def _removal(table: Table, which: Condition) -> Statement:
    return Update(table, {"expires_at": 0}, which) if table.pruned == "expire" else Delete(table, which)
