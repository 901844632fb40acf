"""Tables of analytics as data, and the statements that make and fill them. Knows no driver."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "integer", "real", "boolean", "json", "time"]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TYPES: dict[Kind, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "real": "DOUBLE",
    "boolean": "BOOLEAN",
    "json": "JSON",
    "time": "TIMESTAMPTZ",
}


@dataclass(frozen=True)
class AnalyticsColumn:
    """kind: `time` is given in seconds since 1970, and read as a datetime in UTC; `json` is given as any JSON value,
    and read as text. Every column may be left out of a row, and is null then.
    """

    name: str
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class AnalyticsTable:
    """A table. Its columns stay for ever; later versions may add some, which are null in older rows.

    aged_by: a column of the kind `time`, by which old rows are removed; None for rows that are kept.
    """

    name: str
    columns: tuple[AnalyticsColumn, ...]
    aged_by: str | None = None

    def __post_init__(self) -> None:
        odd = [name for name in (self.name, *(one.name for one in self.columns)) if not _NAME.fullmatch(name)]
        if odd:
            raise ValueError(f"a name in analytics has small letters, digits and `_`: {odd}")
        if self.aged_by is not None and AnalyticsColumn(self.aged_by, "time") not in self.columns:
            raise ValueError(f"`{self.name}` has no column `{self.aged_by}` of the kind `time`")

    def complete(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows with every column. Raises ValueError for a column that the table does not have."""
        names = [column.name for column in self.columns]
        if unknown := {name for row in rows for name in row}.difference(names):
            raise ValueError(f"`{self.name}` has no column {sorted(unknown)}")
        return [{name: row.get(name) for name in names} for row in rows]

    def creation(self) -> str:
        """The statement that makes it."""
        columns = ", ".join(f'"{one.name}" {_TYPES[one.kind]}' for one in self.columns)
        return f'CREATE TABLE "{self.name}" ({columns})'

    def additions(self, there: Iterable[str]) -> list[str]:
        """The statements that add the columns which a table of an older version does not have."""
        missing = [one for one in self.columns if one.name not in set(there)]
        return [f'ALTER TABLE "{self.name}" ADD COLUMN "{one.name}" {_TYPES[one.kind]}' for one in missing]

    def insertion(self) -> str:
        """The statement that adds rows, with `?` for a JSON array of them: a thousand times faster than row by row."""
        given = {one.name: "DOUBLE" if one.kind == "time" else _TYPES[one.kind] for one in self.columns}
        names = ", ".join(f'"{one.name}"' for one in self.columns)
        values = ", ".join(
            f'to_timestamp(given."{one.name}")' if one.kind == "time" else f'given."{one.name}"' for one in self.columns
        )
        rows = f"SELECT unnest(from_json_strict(?::JSON, '[{json.dumps(given)}]')) AS given"
        return f'INSERT INTO "{self.name}" ({names}) SELECT {values} FROM ({rows})'  # noqa: S608  # ours

    def removal(self) -> str:
        """The statement that removes the rows that are older than `?`, in seconds since 1970."""
        assert self.aged_by is not None
        return f'DELETE FROM "{self.name}" WHERE "{self.aged_by}" < to_timestamp(?)'  # noqa: S608  # ours


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What a query found. has_more: whether there were more rows than asked for."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    has_more: bool

    def as_dicts(self) -> list[dict[str, Any]]:
        """Each row by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]
