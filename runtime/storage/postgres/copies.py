"""The copy of a store's tables from before a migration: in a schema of its own, with a function that goes back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from runtime.storage.postgres.connections import Connection
from runtime.storage.sql.dialects import POSTGRES, quoted
from runtime.storage.sql.entries import make_entries
from runtime.storage.sql.migrations import VERSIONS, Copy, copy_name, passed, tables_in
from runtime.storage.sql.tables import OWNER, Schema

COPIES = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'before\\_%'"
_CONSTRAINTS = (
    "SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint"
    ' WHERE conrelid = to_regclass($1::text) AND contype = ANY($2::text[]::"char"[])'
)
_KEYS, _OF_PARTS = ["p", "u"], ["f"]
_OWNER = re.compile(r" REFERENCES (?=[^ .]+\()")
_ON_TABLE = re.compile(" ON .+? USING ")
_INDEXES = (
    "SELECT pg_get_indexdef(indexrelid) AS definition FROM pg_index WHERE indrelid = to_regclass($1::text)"
    " AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)"
)


async def keep_copy(
    connection: Connection, schema: Schema, name: str, found: Mapping[str, Any], now: Sequence[Mapping[str, Any]]
) -> str:
    """Copy the tables of a store with their indexes. Returns the statement that brings them back; the servers that use
    them must not run meanwhile. found: the store's row of VERSIONS; now: what its tables will be.
    """
    copy = quoted(copy_name(schema))
    here = quoted(await connection.fetchval("SELECT current_schema()"))
    await connection.execute(f"CREATE SCHEMA {copy}")
    described = msgspec.json.decode(found["tables"])
    before = [quoted(table["table"]) for table in described]
    for table in before:
        await _copy_table(connection, f"{here}.{table}", f"{copy}.{table}")
    for table in before:  # once every copy is there
        for one in await connection.fetch(_CONSTRAINTS, f"{here}.{table}", _OF_PARTS):
            definition = _OWNER.sub(lambda _: f" REFERENCES {copy}.", one["definition"], count=1)
            await _add_constraint(connection, f"{copy}.{table}", one["conname"], definition)
    all_tables = dict.fromkeys(map(quoted, tables_in([*described, *now])))
    go_back = [
        f"DROP TABLE IF EXISTS {', '.join(f'{here}.{table}' for table in all_tables)};",
        *(f"ALTER TABLE {copy}.{table} SET SCHEMA {here};" for table in before),
        *(f"{sql};" for table in described for sql in _entries(table)),
        f"UPDATE {here}.{VERSIONS.name} SET version = {found['version']}, tables = {_literal(found['tables'])}"  # noqa: S608  # ours
        f" WHERE name = {_literal(name)};",
    ]
    body = f"BEGIN {' '.join(go_back)} END"
    await connection.execute(
        f"CREATE FUNCTION {copy}.restore() RETURNS void LANGUAGE plpgsql SET search_path TO {here}"
        f" AS $restore${body}$restore$"
    )
    return f"SELECT {copy}.restore()"


def copies_named(names: Iterable[str]) -> list[Copy]:
    """The copies among the names of a database's schemas, the newest first."""
    found = (Copy.named(name, of="the tables of the store `{store}`", size_bytes=None) for name in names)
    return sorted(filter(None, found), key=lambda copy: -copy.made_at)


async def drop_passed(connection: Connection, schema: Schema) -> None:
    """Drop the copies of a store that no longer matter after its migration to `schema`."""
    for copy in passed(copies_named([row[0] for row in await connection.fetch(COPIES)]), schema):
        await connection.execute(f"DROP SCHEMA {quoted(copy.name)} CASCADE")


async def go_back(connection: Connection, name: str) -> None:
    """Bring the tables of a copy back; nothing is left of it. All of it is done, or nothing."""
    async with connection.transaction():
        await connection.execute(f"SELECT {quoted(name)}.restore()")
        await connection.execute(f"DROP SCHEMA {quoted(name)} CASCADE")


async def _copy_table(connection: Connection, table: str, copy: str) -> None:
    await connection.execute(f"CREATE TABLE {copy} (LIKE {table} INCLUDING DEFAULTS)")
    await connection.execute(f"INSERT INTO {copy} SELECT * FROM {table}")  # noqa: S608  # ours
    for key in await connection.fetch(_CONSTRAINTS, table, _KEYS):
        await _add_constraint(connection, copy, key["conname"], key["definition"])
    for index in await connection.fetch(_INDEXES, table):
        # Its name stays: it is that of another index in another schema.
        await connection.execute(_ON_TABLE.sub(lambda _: f" ON {copy} USING ", index["definition"], count=1))


async def _add_constraint(connection: Connection, table: str, name: str, definition: str) -> None:
    await connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {quoted(name)} {definition}")


def _entries(table: Mapping[str, Any]) -> list[str]:
    """What makes the entries of a table anew, as it is described."""
    column = table.get("entries_of")
    return make_entries(POSTGRES, table["table"], column, has_owners=OWNER in table["kinds"]) if column else []


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
