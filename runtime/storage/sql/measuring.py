"""How much a table holds, and how old it is: read from all of its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runtime.storage.sql.ageing import not_expired, parts_of
from runtime.storage.sql.conditions import Condition
from runtime.storage.sql.dialects import quoted
from runtime.storage.sql.migrations import full_name
from runtime.storage.sql.store import SqlStore
from runtime.storage.sql.tables import Table

_FIXED_BYTES = 8
OUTSIDE = "size_bytes"
"""The column, in a table whose rows have something outside of the database, with the bytes of that."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """count: rows; size_bytes: of their values, as the database keeps them, without indexes; outside_bytes: of what
    belongs to them and is elsewhere. oldest, newest: seconds since 1970, None where rows do not age or there are none.
    """

    count: int
    size_bytes: int
    outside_bytes: int = 0
    oldest: float | None = None
    newest: float | None = None


async def measure_whole(store: SqlStore, table: Table, where: Condition, *, now: float) -> Measured:
    """The same with the sizes of all that belongs to those rows, and goes when they do. Raises Unavailable."""
    found = await measure(store, table, where, now=now)
    for part, theirs in parts_of(store, table, where & not_expired(table, now)):
        more = await measure(store, part, theirs, now=now)
        size_bytes, outside_bytes = found.size_bytes + more.size_bytes, found.outside_bytes + more.outside_bytes
        found = replace(found, size_bytes=size_bytes, outside_bytes=outside_bytes)
    return found


async def measure(store: SqlStore, table: Table, where: Condition, *, now: float) -> Measured:
    """What the rows of a table come to that fulfil a condition, without what has expired. now: seconds since 1970.

    Raises Unavailable.
    """
    backend = await store.open()
    where = where & not_expired(table, now)
    sizes = [backend.dialect.size_of(column) for column in table.columns if column.kind not in ("integer", "real")]
    fixed = _FIXED_BYTES * (len(table.columns) - len(sizes))
    size = " + ".join([str(fixed), *(f"COALESCE({one}, 0)" for one in sizes)])
    age = f"MIN({table.aged_by}), MAX({table.aged_by})" if table.aged_by else "NULL, NULL"
    outside = f"SUM({OUTSIDE})" if table.pruned == "expire" and OUTSIDE in table.kinds else "0"
    name = quoted(full_name(store.name, table.name))
    sql = f"SELECT COUNT(*), SUM({size}), {outside}, {age} FROM {name}"  # noqa: S608  # ours
    if where.sql:
        sql = f"{sql} WHERE {where.sql}"
    [(count, size_bytes, outside_bytes, oldest, newest)] = await backend.read(backend.dialect.text(sql), where.values)
    return Measured(
        count=int(count),
        size_bytes=int(size_bytes or 0),
        outside_bytes=int(outside_bytes or 0),
        oldest=None if oldest is None else float(oldest),
        newest=None if newest is None else float(newest),
    )
