"""The stores of tables in a database as it describes them itself: so that whoever counts, prunes or copies them needs
no provider.

See `migrations.describe`, which writes what is read here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from runtime.storage.sql.backend import SqlBackend
from runtime.storage.sql.dialects import quoted
from runtime.storage.sql.migrations import VERSIONS
from runtime.storage.sql.store import SqlStore
from runtime.storage.sql.tables import Column, PartOf, Run, Schema, Table


async def described_stores(backend: SqlBackend) -> list[SqlStore]:
    """Every store that has tables in a database, by the name of its first one, without those that are `is_inner`. Their
    rows have no owners: those are columns like others. Raises Unavailable.
    """
    there = {row[0] for row in await backend.read(backend.dialect.table_names, ())}
    if VERSIONS.name not in there:
        return []
    query = f"SELECT name, store, version, tables FROM {quoted(VERSIONS.name)} ORDER BY name"  # noqa: S608  # ours
    rows = await backend.read(query, ())
    return [SqlStore(lambda: backend, _schema(*row), row[0]) for row in rows]


def _schema(name: str, store: str, version: int, tables: str) -> Schema:
    found = msgspec.json.decode(tables)
    rows_version = min((one.get("rows_version", version) for one in found), default=version)  # older ones did not say
    changed_rows, changed_none = (Run(""),), ()  # all that is known of each migration
    migrations = (changed_rows,) * (rows_version - 1) + (changed_none,) * (version - rows_version)
    shown = tuple(_table(name, one) for one in found if not one.get("is_inner"))
    return Schema(name=store, tables=shown, migrations=migrations)


def _table(name: str, described: dict[str, Any]) -> Table:
    owner = described.get("part_of")  # older versions did not say
    return Table(
        name=described["table"][len(name) :].removeprefix("_"),
        columns=tuple(Column(column, kind, nullable=True) for column, kind in described["kinds"].items()),
        key=tuple(described["key"]),
        has_owners=False,
        holds=described["holds"],
        aged_by=described["aged_by"],
        pruned=described["pruned"],
        part_of=PartOf(owner["table"], tuple(owner["columns"])) if owner else None,
    )
