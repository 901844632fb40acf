"""Rows that lead from one to the next, as each has the key of the one before it: read with one query, however many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runtime.storage.sql.conditions import Condition
from runtime.storage.sql.dialects import Dialect
from runtime.storage.sql.tables import Table

_KEY, _NEXT, _STEP, _BYTES = "walk_key", "walk_next", "walk_step", "walk_bytes"


@dataclass(frozen=True, slots=True)
class Walk:
    """Read the row with the key `first`, the one whose key that has in the column `link`, and so on, in this order. It
    ends behind a row that has none there, before one that is not there, and before the one with which the columns
    `sizes` have more than `most_bytes` in all rows. table: its key is one column. columns: which are read.
    """

    table: Table
    first: str
    link: str
    columns: tuple[str, ...]
    sizes: tuple[str, ...]
    most_bytes: int


def walk_sql(dialect: Dialect, name: str, query: Walk, size: str, visible: Condition) -> tuple[str, Sequence[Any]]:
    """The text and the values. Behind the columns of a row stands its step, counted from 0: the rows are in no order,
    since no database sorts large values well. name: the table, quoted. size: the bytes of `sizes`, as SQL. visible: the
    rows that are seen.
    """
    [key] = query.table.key
    rule = f" AND {visible.sql}" if visible.sql else ""
    following, same = (dialect.with_row.format(name=name, key=key, value=value) for value in (_NEXT, _KEY))
    first = f"SELECT {key}, {query.link}, 0, {size} FROM {name} WHERE {key} = ? AND {size} <= ?{rule}"  # noqa: S608  # ours
    further = (
        f"SELECT {key}, {query.link}, {_STEP} + 1, {_BYTES} + {size} FROM walk {following}"  # noqa: S608  # ours
        f" AND {_BYTES} + {size} <= ?{rule}"
    )
    read = f"SELECT {', '.join(query.columns)}, {_STEP} FROM walk {same}"  # noqa: S608  # ours
    text = f"WITH RECURSIVE walk ({_KEY}, {_NEXT}, {_STEP}, {_BYTES}) AS ({first} UNION ALL {further}) {read}"
    return text, (query.first, query.most_bytes, *visible.values, query.most_bytes, *visible.values)
