"""The first rows in an order, as SQL that an index answers: for one user as for all, and by the entries of a column.

A user sees rows by one condition or another, and no index leads through both in order. So each part is asked for its
own first rows, and of those the first are taken:

    SELECT ... FROM (first rows of nobody) UNION ALL (first rows of the user) ... ORDER BY ... LIMIT

What a user sees through a shared group has no index: that part is read through in order until it has enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.access import Caller
from runtime.storage.sql.conditions import ALL, Condition, before_or_at, every, visible_parts, visible_to
from runtime.storage.sql.dialects import Dialect, quoted
from runtime.storage.sql.entries import found_by
from runtime.storage.sql.statements import Select, select_sql
from runtime.storage.sql.tables import OWNER, Index, Table

_PLACE = ("position", "id")
BY_OWNER = Index((OWNER, *_PLACE))
"""The index with which a user's rows are found in their order."""


def ordered_sql(
    dialect: Dialect, name: str, query: Select, columns: Sequence[str], user: Caller
) -> tuple[str, Sequence[Any]]:
    """The text and the values of a query with an order and a limit. name: of the table in the database. columns: what
    is read, as SQL. user: who asks.
    """
    table = query.table
    order: Sequence[str] = [column.removeprefix("-") for column in query.order]
    source, found, place, owner = quoted(name), ALL, order, OWNER
    is_paged = tuple(order) == _PLACE
    entries = [(key, value) for column, key, value in query.where.entries if column == table.entries_of and is_paged]
    if entries:
        source, found, place, owner = found_by(name, entries)
    parts = _parts(table, user, owner) if is_paged else [visible_to(user) if table.has_owners else ALL]
    bounds = (before_or_at(place, values, operator) for operator, values in query.bounds)
    where = every([found, query.where, *bounds])
    seen = [where & part for part in parts]
    ordered = [f"-{new}" if old.startswith("-") else new for old, new in zip(query.order, place, strict=True)]
    if len(seen) == 1:
        return select_sql(source, columns, seen[0].sql, ordered, query.limit), seen[0].values
    own = [f"{column} AS c{number}" for number, column in enumerate((*columns, *order))]
    firsts = " UNION ALL ".join(
        f"SELECT * FROM ({select_sql(led, own, part.sql, ordered, query.limit)}) AS p{number}"  # noqa: S608  # ours
        for number, part in enumerate(seen)
        for led in [dialect.led_by(name, BY_OWNER) if number < 2 and not entries else source]
    )
    taken = [f"c{number}" for number in range(len(columns))]
    last = [f"{'-' if old.startswith('-') else ''}c{number}" for number, old in enumerate(query.order, len(columns))]
    values = tuple(value for part in seen for value in part.values)
    return select_sql(f"({firsts}) AS parts", taken, "", last, query.limit), values


def _parts(table: Table, user: Caller, owner: str) -> list[Condition]:
    if not table.has_owners:
        return [ALL]
    if BY_OWNER not in table.indexes:
        return [visible_to(user)]
    return visible_parts(user, owner)
