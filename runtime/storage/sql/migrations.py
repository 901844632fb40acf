"""Brings the tables of a store to this version's schema: which statements, in which order. Executes nothing itself.

Each database has a table of the versions of its stores. All steps are one transaction, in which the database also keeps
a copy of the tables before the first one, as it can: SQLite of the whole file beside it, PostgreSQL of the store's
tables in a schema of their own. The log says how to go back.
"""

from __future__ import annotations

import calendar
import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.clock import wall_time
from runtime.errors import Unavailable
from runtime.storage.sql import tables
from runtime.storage.sql.dialects import Dialect, index_name, index_sql, quoted
from runtime.storage.sql.entries import entries_name, make_entries

VERSIONS = tables.Table(
    name="llama_stack_schemas",
    columns=(
        tables.Column("name", "text"),
        tables.Column("store", "text"),
        tables.Column("version", "integer"),
        tables.Column("tables", "json"),
    ),
    key=("name",),
    has_owners=False,
)
"""name: of the store's first table; store: its schema's name; tables: what each of its tables holds, for commands that
know no store (`describe`).
"""

KEY_VALUE = "key-value"
"""The store, in a database of tables, that is the one table of a backend of keys and values."""

_LONGEST_STORE = 20
_KEPT_VERSIONS = 2
_DAY = "%Y%m%d_%H%M%S"
_COPY = re.compile(r"before_(?P<store>.*)_(?P<version>\d+)_(?P<day>\d{8}_\d{6})_[0-9a-f]{4}")


def check_version(schema: tables.Schema, store: str, found: int, where: str) -> None:
    """Raises Unavailable for tables of another store, or that a newer version wrote. store, found: as in VERSIONS, 0
    where there are none yet. where: the database, for the message.
    """
    if found and store != schema.name:
        raise Unavailable(
            f"the tables that the store `{schema.name}` should have in {where} are those of the store `{store}`",
            hint="give one of them another `table_name`",
            code="storage_taken",
        )
    if found > schema.version:
        raise Unavailable(
            f"the tables of the store `{schema.name}` in {where} were written by a newer version:"
            f" their schema is {found}, the newest known here {schema.version}",
            hint="use that version, go back to the copy that was made before the migration, or use another database",
            code="storage_newer",
        )


def taken(schema: tables.Schema, table: str, where: str) -> Unavailable:
    """The error for tables that are there although the database has no version of them."""
    return Unavailable(
        f"the store `{schema.name}` needs the table `{table}`, but {where} has one that it did not make",
        hint="give the store another `table_name`, or use another database",
        code="storage_taken",
    )


def steps(dialect: Dialect, schema: tables.Schema, name: str, version: int) -> list[str]:
    """The statements that lead from `version` to the schema as it is now; from 0, those that make its tables."""
    if version == 0:
        return [sql for table in schema.tables for sql in _creation(dialect, name, table)]
    passed = schema.migrations[version - 1 :]
    return [sql for migration in passed for step in migration for sql in _step(dialect, schema, name, step)]


def copy_name(schema: tables.Schema) -> str:
    """A name, not used before, for the copy of a store from before its migration to `schema`."""
    day = time.strftime(_DAY, time.gmtime(wall_time()))
    return f"before_{schema.name[:_LONGEST_STORE]}_{schema.version}_{day}_{secrets.token_hex(2)}"


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A copy from before a migration. name: as `copy_name` made it, which names the store and the version of its schema
    that it was migrated to. of: what going back to it changes, in words. made_at: seconds since 1970. size_bytes: on
    the disk; None where that is not known.
    """

    name: str
    store: str
    version: int
    of: str
    made_at: float
    size_bytes: int | None

    @classmethod
    def named(cls, name: str, *, of: str, size_bytes: int | None) -> Copy | None:
        """The copy of that name; None for what is none. of: with `{store}` for the store that was migrated."""
        found = _COPY.fullmatch(name)
        if found is None:
            return None
        made_at = calendar.timegm(time.strptime(found["day"], _DAY))
        store, version = found["store"], int(found["version"])
        of = of.format(store=store)
        return cls(name=name, store=store, version=version, of=of, made_at=float(made_at), size_bytes=size_bytes)


def passed(copies: Iterable[Copy], schema: tables.Schema) -> list[Copy]:
    """Those of a store that no longer matter after its migration to `schema`: from before the last two versions that
    there are copies for. The copy just made stays, also where an older release made it. All those of one version stay,
    since several stores of a database may have one schema.
    """
    own = [copy for copy in copies if copy.store == schema.name[:_LONGEST_STORE]]
    kept = {schema.version, *sorted({copy.version for copy in own})[-_KEPT_VERSIONS:]}
    return [copy for copy in own if copy.version not in kept]


def full_name(name: str, part: str) -> str:
    """A table in the database. name: of the store's first table."""
    return f"{name}_{part}" if part else name


def tables_in(described: Sequence[Mapping[str, Any]]) -> list[str]:
    """The tables that these have in the database, with those that belong to them."""
    own = [str(table["table"]) for table in described]
    return [*own, *(entries_name(str(table["table"])) for table in described if table.get("entries_of"))]


def describe(schema: tables.Schema, name: str) -> list[dict[str, object]]:
    """The tables of a store, for commands that know no store: what their rows are, and how they age."""
    return [
        {
            "table": full_name(name, table.name),
            "holds": table.holds,
            "aged_by": table.aged_by,
            "pruned": table.pruned,
            "part_of": table.part_of and {"table": table.part_of.table, "columns": table.part_of.columns},
            "entries_of": table.entries_of,
            "is_inner": table.is_inner,
            "key": list(table.key),
            "kinds": table.kinds,
            "rows_version": schema.rows_version,
        }
        for table in schema.tables
    ]


def _creation(dialect: Dialect, name: str, table: tables.Table) -> list[str]:
    owner = full_name(name, table.part_of.table) if table.part_of else ""
    return [*dialect.create(full_name(name, table.name), table, owner), *_entries(dialect, name, table)]


def _entries(dialect: Dialect, name: str, table: tables.Table) -> list[str]:
    if table.entries_of is None:
        return []
    return make_entries(dialect, full_name(name, table.name), table.entries_of, has_owners=table.has_owners)


def _step(dialect: Dialect, schema: tables.Schema, name: str, step: tables.Step) -> Sequence[str]:
    if isinstance(step, tables.AddTable):
        return _creation(dialect, name, step.table)
    if isinstance(step, tables.AddColumn):
        return [f"ALTER TABLE {quoted(full_name(name, step.table))} ADD COLUMN {dialect.column(step.column)}"]
    if isinstance(step, tables.DropColumn):
        return [f"ALTER TABLE {quoted(full_name(name, step.table))} DROP COLUMN {step.column}"]
    if isinstance(step, tables.DropIndex):
        return [f"DROP INDEX {index_name(full_name(name, step.table), step.index)}"]
    if isinstance(step, tables.AddIndex):
        return [index_sql(full_name(name, step.table), step.index)]
    if isinstance(step, tables.AddEntries):
        return _entries(dialect, name, schema.table(step.table))
    others = {table.name: quoted(full_name(name, table.name)) for table in schema.tables if table.name}
    return [step.sql.format(quoted(name), **others)]
