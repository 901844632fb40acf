"""Tables of analytics as data, and the statements that make and fill them. Knows no driver."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Self

Kind = Literal["text", "integer", "real", "boolean", "json", "time"]
_FIXED_BYTES = 8
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

    aged_by: a column of the kind `time`, by which old rows are removed; None for rows that are kept. Retention and
    `storage prune` call what ages by the table's name, which an API or a spec declares as `analytics`. dated_by: such
    a column of a table that does not age by itself, by which nobody removes rows but who uses it. views: what else
    queries find of it, each a name and its SELECT. beside: other tables that these read, made before it.
    """

    name: str
    columns: tuple[AnalyticsColumn, ...]
    aged_by: str | None = None
    dated_by: str | None = None
    views: tuple[tuple[str, str], ...] = ()
    beside: tuple[AnalyticsTable, ...] = ()

    def __post_init__(self) -> None:
        odd = [name for name in (self.name, *(one.name for one in self.columns)) if not _NAME.fullmatch(name)]
        if odd:
            raise ValueError(f"a name in analytics has small letters, digits and `_`: {odd}")
        for name in (self.aged_by, self.dated_by):
            if name is not None and AnalyticsColumn(name, "time") not in self.columns:
                raise ValueError(f"`{self.name}` has no column `{name}` of the kind `time`")

    def complete(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows with every column. Raises ValueError for a column that the table does not have."""
        names = [column.name for column in self.columns]
        if unknown := {name for row in rows for name in row}.difference(names):
            raise ValueError(f"`{self.name}` has no column {sorted(unknown)}")
        return [{name: row.get(name) for name in names} for row in rows]

    def document(self) -> dict[str, Any]:
        """Itself as JSON; `of` reads it."""
        return {"name": self.name, "columns": {one.name: one.kind for one in self.columns}, "aged_by": self.aged_by}

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """The table that a document describes. Raises ValueError for what can be none."""
        try:
            columns = tuple(AnalyticsColumn(name, kind) for name, kind in document["columns"].items())
            found = cls(name=document["name"], columns=columns, aged_by=document["aged_by"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this describes no table of analytics: {error}") from error
        if not found.columns or any(one.kind not in _TYPES for one in columns):
            raise ValueError(f"`{found.name}` has columns of no kind of analytics")
        return found

    def creation(self) -> str:
        """The statement that makes it."""
        columns = ", ".join(f'"{one.name}" {_TYPES[one.kind]}' for one in self.columns)
        return f'CREATE TABLE "{self.name}" ({columns})'

    def additions(self, there: Iterable[str]) -> list[str]:
        """The statements that add the columns which a table of an older version does not have."""
        missing = [one for one in self.columns if one.name not in set(there)]
        return [f'ALTER TABLE "{self.name}" ADD COLUMN "{one.name}" {_TYPES[one.kind]}' for one in missing]

    def comment(self) -> str:
        """What the database keeps beside the table, so that whoever does not know it can read it."""
        return json.dumps({"aged_by": self.aged_by})

    def insertion(self, into: str | None = None) -> str:
        """The statement that adds rows, with `?` for a JSON array of them: a thousand times faster than row by row.
        into: another table of the same columns.
        """
        rows = f"SELECT unnest(from_json_strict(?::JSON, '[{json.dumps(self._given())}]')) AS given"
        return self._inserting(f"({rows})", into)

    def insertion_of_columns(self, in_lines: Collection[str] = ()) -> str:
        """The statement that adds rows, with `?` for the values of each column in turn: a JSON array, or for those of
        `in_lines` a text with one on each line. As lists of Python's they would cost several times as much.
        """
        lists = ", ".join(
            f'unnest({"string_split(?, chr(10))" if name in in_lines else _array_of(kind)}) AS "{name}"'
            for name, kind in self._given().items()
        )
        return self._inserting(f"(SELECT {lists}) AS given")

    def _given(self) -> dict[str, str]:
        """The types of the values that are given, by column."""
        return {one.name: "DOUBLE" if one.kind == "time" else _TYPES[one.kind] for one in self.columns}

    def _inserting(self, given: str, into: str | None = None) -> str:
        """given: what has the values of a row as `given."column"`."""
        names = ", ".join(f'"{one.name}"' for one in self.columns)
        values = ", ".join(
            f'to_timestamp(given."{one.name}")' if one.kind == "time" else f'given."{one.name}"' for one in self.columns
        )
        return f'INSERT INTO "{into or self.name}" ({names}) SELECT {values} FROM {given}'  # noqa: S608  # ours

    def removal(self) -> str:
        """The statement that removes the rows that are older than `?`, in seconds since 1970."""
        column = self.aged_by or self.dated_by
        assert column is not None
        return f'DELETE FROM "{self.name}" WHERE "{column}" < to_timestamp(?)'  # noqa: S608  # ours

    def selection(self, table: str | None = None) -> str:
        """The query for all rows in the order in which they came, with times in microseconds since 1970. table: another
        one of the same columns.
        """
        values = (f'epoch_us("{one.name}")' if one.kind == "time" else f'"{one.name}"' for one in self.columns)
        return f'SELECT {", ".join(values)} FROM "{table or self.name}" ORDER BY rowid'  # noqa: S608  # ours

    def measurement(self, *, is_aged: bool = False) -> str:
        """The query for the number of rows, the bytes of their values, and the oldest and the newest age, in seconds
        since 1970. is_aged: of those that are older than `?`, in those seconds.
        """
        texts = [f'strlen("{one.name}"::VARCHAR)' for one in self.columns if one.kind in ("text", "json")]
        fixed = _FIXED_BYTES * (len(self.columns) - len(texts))
        size = " + ".join([str(fixed), *(f"COALESCE({text}, 0)" for text in texts)])
        age = f'epoch(MIN("{self.aged_by}")), epoch(MAX("{self.aged_by}"))' if self.aged_by else "NULL, NULL"
        where = f' WHERE "{self.aged_by}" < to_timestamp(?)' if is_aged else ""
        return f'SELECT COUNT(*), COALESCE(SUM({size}), 0)::BIGINT, {age} FROM "{self.name}"{where}'  # noqa: S608  # ours


def _array_of(kind: str) -> str:
    """`?` for a JSON array of such values."""
    return f"from_json_strict(?::JSON, '[\"{kind}\"]')"


DESCRIPTION = """
SELECT table_name, any_value(t.comment), list(column_name ORDER BY column_index), list(data_type ORDER BY column_index)
FROM duckdb_tables() AS t JOIN duckdb_columns() AS c USING (database_name, schema_name, table_name)
WHERE database_name = current_database() AND NOT t.internal AND NOT t.temporary
GROUP BY table_name ORDER BY table_name
"""
"""The query for what `described` reads."""


def described(rows: Iterable[Sequence[Any]]) -> list[AnalyticsTable]:
    """The tables that a file has, as it describes them itself, by name; without those that are none of ours."""
    kinds = {name: kind for kind, name in _TYPES.items()} | {"TIMESTAMP WITH TIME ZONE": "time"}
    found = []
    for name, comment, columns, types in rows:
        document = {"name": name, "columns": dict(zip(columns, map(kinds.get, types), strict=True))}
        with suppress(ValueError):
            found.append(AnalyticsTable.of({**document, "aged_by": json.loads(comment or "{}").get("aged_by")}))
    return found


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What a query found. has_more: whether there were more rows than asked for."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    has_more: bool
