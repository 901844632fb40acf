"""Statements as data, and their SQL. A write is a list of them, done together or not at all.

Statements instead of functions over a connection: they wait in a queue, one commit serves many callers, and both
databases take the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from runtime.storage.sql.conditions import ALL, Condition
from runtime.storage.sql.tables import Table


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row. replace: the columns to change if a row with its key is there already; None: that is a Duplicate; an
    empty tuple: then the row stays as it is. A row that the user does not see is not replaced: that is Stale.
    """

    table: Table
    values: Mapping[str, Any]
    replace: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Change rows. expect: how many rows there must be, so that
    the whole write is undone and Stale raised otherwise; None for any number.
    """

    table: Table
    values: Mapping[str, Any]
    where: Condition
    expect: int | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove rows. expect: as for Update. limit: the most rows to remove, the oldest by the table's key."""

    table: Table
    where: Condition
    expect: int | None = None
    limit: int | None = None


Bound = tuple[Literal["<", ">"], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Select:
    """Read rows. columns: empty for all. order: columns, `-` before one for descending order. sizes: columns of bytes,
    text or JSON that are not read, but how many bytes they have together, as `SIZE`. bounds: where in the order: `<` or
    `>`, and the values of its columns.
    """

    table: Table
    where: Condition = ALL
    columns: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    limit: int | None = None
    sizes: tuple[str, ...] = ()
    bounds: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """Read one row: how many rows there are (`count`), and the sums of integer columns, named after them."""

    table: Table
    where: Condition = ALL
    sums: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Groups:
    """Read one row for each combination of values of some columns that occurs: these, how many rows have it (`count`),
    and the sums of integer columns, named after them.
    """

    table: Table
    by: tuple[str, ...]
    where: Condition = ALL
    sums: tuple[str, ...] = ()


SIZE = "bytes of sizes"
"""What a row has under this name no column can have."""
Statement = Insert | Update | Delete
Name = Callable[[Table], str]


def insert_sql(name: str, table: Table, columns: tuple[str, ...], replace: tuple[str, ...] | None) -> str:
    """The text of an Insert; cached, since hot writes insert the same columns again and again."""
    return _insert_sql(name, columns, table.key, replace)


@lru_cache(maxsize=1024)
def _insert_sql(name: str, columns: tuple[str, ...], key: tuple[str, ...], replace: tuple[str, ...] | None) -> str:
    text = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608  # ours
    if replace is None:
        return text
    if not replace:
        return f"{text} ON CONFLICT ({', '.join(key)}) DO NOTHING"
    changes = ", ".join(f"{column} = excluded.{column}" for column in replace)
    return f"{text} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"


def update_sql(name: str, columns: Sequence[str], where: str) -> str:
    return f"UPDATE {name} SET {', '.join(f'{column} = ?' for column in columns)}{_where(where)}"  # noqa: S608  # ours


def delete_sql(name: str, key: tuple[str, ...], where: str, limit: int | None) -> str:
    if limit is None:
        return f"DELETE FROM {name}{_where(where)}"  # noqa: S608  # ours
    columns = ", ".join(key)
    oldest = f"SELECT {columns} FROM {name}{_where(where)} ORDER BY {columns} LIMIT {limit}"  # noqa: S608  # ours
    return f"DELETE FROM {name} WHERE ({columns}) IN ({oldest})"  # noqa: S608  # ours


def select_sql(name: str, columns: Sequence[str], where: str, order: Sequence[str], limit: int | None) -> str:
    text = f"SELECT {', '.join(columns)} FROM {name}{_where(where)}"  # noqa: S608  # ours
    if order:
        text += f" ORDER BY {', '.join(f'{one[1:]} DESC' if one.startswith('-') else one for one in order)}"
    return text if limit is None else f"{text} LIMIT {limit}"


def totals_sql(name: str, sums: Sequence[str], where: str) -> str:
    columns = ", ".join(["COUNT(*)", *(f"COALESCE(SUM({column}), 0)" for column in sums)])
    return f"SELECT {columns} FROM {name}{_where(where)}"  # noqa: S608  # ours


def groups_sql(name: str, by: Sequence[str], sums: Sequence[str], where: str) -> str:
    keys = ", ".join(by)
    columns = ", ".join([keys, "COUNT(*)", *(f"COALESCE(SUM({column}), 0)" for column in sums)])
    return f"SELECT {columns} FROM {name}{_where(where)} GROUP BY {keys}"  # noqa: S608  # ours


def _where(condition: str) -> str:
    return f" WHERE {condition}" if condition else ""
