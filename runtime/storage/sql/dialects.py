"""What SQLite and PostgreSQL write differently. Everything else has one text for both."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from runtime.storage.sql.tables import Column, Index, Kind, Table

_LONGEST_NAME = 63  # in PostgreSQL, which cuts longer ones


@dataclass(frozen=True)
class Dialect:
    """types: the type of each kind of column. contains, json_equals: of `@contains(column, ?)` and
    `@json_equals(column, ?, ?)`, with `{0}` for the column. numbered: whether the places of values are `$1`, `$2`.
    sizes: the bytes of a value whose kind has no fixed size. table_names: the query for the names of all tables.
    checked: when it is seen whether what a row is part of is there.
    entries: the entries of the JSON object `{0}`, as a table with `key` and `value`. by_key: the end of the statement
    that makes a table, for rows that lie in the order of their key. trigger: the statements that have `{body}` done
    after an `{event}` of a row of `{table}` if `{when}` holds. with_row: what joins each row of a query with that of
    the table `{name}` whose `{key}` is its `{value}`, found by the key's index each time.
    """

    types: Mapping[Kind, str]
    contains: str
    json_equals: str
    numbered: bool
    sizes: Mapping[Kind, str]
    table_names: str
    checked: str
    entries: str
    by_key: str
    trigger: tuple[str, ...]
    with_row: str

    def __hash__(self) -> int:
        return id(self)

    def text(self, sql: str) -> str:
        """A statement as the database takes it."""
        return _text(self, sql)

    def create(self, name: str, table: Table, owner: str = "") -> list[str]:
        """The statements that make a table with its indexes. owner: the table that it is part of."""
        parts = [*map(self.column, table.columns), f"PRIMARY KEY ({', '.join(table.key)})"]
        if table.part_of is not None and table.pruned == "delete":
            columns = ", ".join(table.part_of.columns)
            parts.append(f"FOREIGN KEY ({columns}) REFERENCES {quoted(owner)} ON DELETE CASCADE{self.checked}")
        made = f"CREATE TABLE {quoted(name)} ({', '.join(parts)})"
        return [made, *(index_sql(name, index) for index in table.indexes)]

    def led_by(self, name: str, index: Index) -> str:
        """A table after FROM, of which rows are to be found by an index. PostgreSQL knows by itself, from what it
        counts of the rows.
        """
        return quoted(name) if self.numbered else f"{quoted(name)} INDEXED BY {index_name(name, index)}"

    def size_of(self, column: Column) -> str:
        """The bytes of a column's value, null for null. It is none of a fixed size."""
        return self.sizes[column.kind].format(column.name)

    def column(self, column: Column) -> str:
        needed = "" if column.nullable else " NOT NULL"
        default = "" if column.default is None else f" DEFAULT {column.default}"
        return f"{column.name} {self.types[column.kind]}{needed}{default}"


def index_sql(name: str, index: Index) -> str:
    """The statement that makes an index of a table, unless it is there."""
    unique = "UNIQUE " if index.unique else ""
    columns = ", ".join(index.columns)
    return f"CREATE {unique}INDEX IF NOT EXISTS {index_name(name, index)} ON {quoted(name)} ({columns})"


def index_name(name: str, index: Index) -> str:
    """The name of a table's index, in a statement."""
    own_name = f"{name}__{'_'.join(index.columns)}"
    if len(own_name) > _LONGEST_NAME:
        own_name = f"{name[:30]}__{hashlib.sha256(own_name.encode()).hexdigest()[:20]}"
    return quoted(own_name)


def quoted(name: str) -> str:
    """A table's name in a statement. It comes from a run config, where its characters are checked."""
    return f'"{name}"'


SQLITE = Dialect(
    types={"text": "TEXT", "integer": "INTEGER", "real": "REAL", "bytes": "BLOB", "json": "TEXT"},
    contains="instr({0}, ?) > 0",
    json_equals="EXISTS (SELECT 1 FROM json_each({0}) AS entry WHERE entry.key = ? AND entry.value = ?)",
    numbered=False,
    sizes={"bytes": "LENGTH({0})", **dict.fromkeys(("text", "json"), "LENGTH(CAST({0} AS BLOB))")},
    table_names="SELECT name FROM sqlite_master WHERE type = 'table'",
    checked="",
    entries="json_each({0})",
    by_key=" WITHOUT ROWID",
    trigger=("CREATE TRIGGER {name} AFTER {event} ON {table} WHEN {when} BEGIN {body} END",),
    with_row="CROSS JOIN {name} WHERE {key} = {value}",  # which SQLite joins in this order
)
# PostgreSQL keeps the escape of U+0000 in JSON, but reads no string of a document with it: for a comparison, it is
# replaced by that of U+FFFD. U+0001, which JSON cannot have, stands for escaped backslashes meanwhile.
_READABLE = (
    r"(CASE WHEN strpos({0}::text, '\u0000') = 0 THEN {0} ELSE replace(replace(replace("
    r"{0}::text, '\\', chr(1)), '\u0000', '\ufffd'), chr(1), '\\')::json END)"
)
POSTGRES = Dialect(
    types={
        "text": 'TEXT COLLATE "C"',
        "integer": "BIGINT",
        "real": "DOUBLE PRECISION",
        "bytes": "BYTEA",
        "json": "JSON",
    },
    contains="strpos({0}, ?) > 0",
    json_equals=f"({_READABLE} ->> ?::text) = ?",
    numbered=True,
    sizes={**dict.fromkeys(("text", "bytes"), "OCTET_LENGTH({0})"), "json": "OCTET_LENGTH({0}::text)"},
    table_names="SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
    checked=" DEFERRABLE INITIALLY DEFERRED",  # at the commit: a batch inserts table by table, see `postgres/writes.py`
    entries=f"json_each_text({_READABLE})",
    by_key="",
    trigger=(
        "CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
        " $body$ BEGIN {body} RETURN NULL; END $body$",
        "CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION {name}()",
    ),
    # PostgreSQL would read a whole table for each row while that is small, and long after: plans are kept.
    with_row="CROSS JOIN LATERAL (SELECT * FROM {name} WHERE {key} = {value} LIMIT 1) AS found WHERE TRUE",
)


@lru_cache(maxsize=4096)
def _text(dialect: Dialect, sql: str) -> str:
    sql = re.sub(r"@contains\(([\w.\"]+), \?\)", lambda found: dialect.contains.format(found[1]), sql)
    sql = re.sub(r"@json_equals\((\w+), \?, \?\)", lambda found: dialect.json_equals.format(found[1]), sql)
    if not dialect.numbered:
        return sql
    parts = sql.split("?")
    return "".join(f"{part}${place}" for place, part in enumerate(parts[:-1], start=1)) + parts[-1]
