"""Makes and migrates the tables of a store in PostgreSQL: in one transaction, for which other processes wait."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from runtime.storage.postgres.connections import Connection, Connections
from runtime.storage.postgres.copies import drop_passed, keep_copy
from runtime.storage.postgres.failures import DRIVER_ERRORS
from runtime.storage.sql.dialects import POSTGRES, quoted
from runtime.storage.sql.migrations import VERSIONS, check_version, describe, steps, tables_in, taken
from runtime.storage.sql.tables import Schema
from runtime.storage.unavailable import server_unavailable

log = logging.getLogger(__name__)
_LOCK = 0x6C6C616D61  # of all migrations of a stack in this database
_MAKE_VERSIONS = POSTGRES.create(VERSIONS.name, VERSIONS)[0].replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1)
_VERSION = f"SELECT store, version, tables FROM {VERSIONS.name} WHERE name = $1"  # noqa: S608  # ours
_RECORD = (
    f"INSERT INTO {VERSIONS.name} (name, store, version, tables) VALUES ($1, $2, $3, $4)"  # noqa: S608  # ours
    " ON CONFLICT (name) DO UPDATE SET version = excluded.version, tables = excluded.tables"
)


async def bring_up_to_date(connections: Connections, schema: Schema, name: str) -> None:
    """Make the tables of a store, or bring them to this version's schema. name: of the first one.

    Raises Unavailable if that cannot be done, which leaves everything as it was.
    """
    connection = await connections.connect(answer_s=None)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            way_back = await _migrate(connection, schema, name, connections.place)
    except DRIVER_ERRORS as error:
        raise server_unavailable(connections.place, f"opened for the store `{schema.name}`", error) from error
    finally:
        await connections.hang_up(connection)
    if way_back:
        about = {"store": schema.name, "version": schema.version, "way_back": way_back}
        log.warning("tables migrated", extra=about)


async def _migrate(connection: Connection, schema: Schema, name: str, place: str) -> str | None:
    """The statement that leads back, where there were tables to migrate."""
    await connection.execute(_MAKE_VERSIONS)
    found = await connection.fetchrow(_VERSION, name)
    version = found["version"] if found else 0
    check_version(schema, found["store"] if found else "", version, place)
    if version == schema.version:
        return None
    now = describe(schema, name)
    if not found:
        await _check_free(connection, schema, tables_in(now), place)
    way_back = await keep_copy(connection, schema, name, found, now) if found else None
    for sql in steps(POSTGRES, schema, name, version):
        await connection.execute(sql)
    if way_back:
        await drop_passed(connection, schema)
    await connection.execute(_RECORD, name, schema.name, schema.version, msgspec.json.encode(now).decode())
    return way_back


async def _check_free(connection: Connection, schema: Schema, tables: Sequence[str], place: str) -> None:
    for table in tables:
        if await connection.fetchval("SELECT to_regclass($1::text)", quoted(table)) is not None:
            raise taken(schema, table, place)
