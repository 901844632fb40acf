"""Tables in one PostgreSQL database: see `runtime.storage.postgres` for its connections and its group commit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runtime.storage.postgres.config import PostgresSqlConfig
from runtime.storage.postgres.copies import COPIES, copies_named, go_back
from runtime.storage.postgres.database import Database
from runtime.storage.postgres.failures import DRIVER_ERRORS
from runtime.storage.postgres.migrating import bring_up_to_date
from runtime.storage.sql.backend import Compiled
from runtime.storage.sql.dialects import POSTGRES
from runtime.storage.sql.migrations import Copy
from runtime.storage.sql.tables import Schema
from runtime.storage.unavailable import server_unavailable


class PostgresBackend:
    """A database with a queue for writes, used from one event loop. The first call connects.

    writers, max_waiting: as for `with_queue`.
    """

    dialect = POSTGRES

    def __init__(self, database: Database, *, writers: int | None = None, max_waiting: int | None = None) -> None:
        self._database = database
        self._writes = database.queue(writers=writers, max_waiting=max_waiting)

    async def prepare(self, schema: Schema, name: str) -> None:
        """See SqlBackend. If another process does it at the same time, this waits for it."""
        self._database.check_open()
        await bring_up_to_date(self._database.connections, schema, name)

    async def write(self, statements: Sequence[Compiled]) -> list[int]:
        """See SqlBackend. Raises RequestError for a text with U+0000."""
        return await self._writes.do(statements)

    def with_queue(self, *, writers: int | None, max_waiting: int | None) -> PostgresBackend:
        return PostgresBackend(self._database, writers=writers, max_waiting=max_waiting)

    async def read(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        return await self._database.read(sql, values)

    async def read_each(self, queries: Sequence[tuple[str, Sequence[Any]]]) -> Sequence[Sequence[Sequence[Any]]]:
        return await self._database.read_each(queries)

    async def copies(self) -> list[Copy]:
        return copies_named([row[0] for row in await self.read(COPIES, ())])

    async def restore(self, copy: Copy) -> None:
        """See SqlBackend. One transaction: it is done, or nothing of it. Raises Unavailable."""
        connections = self._database.connections
        connection = await connections.connect(answer_s=None)
        try:
            await go_back(connection, copy.name)
        except DRIVER_ERRORS as error:
            raise server_unavailable(connections.place, "written", error) from error
        finally:
            await connections.hang_up(connection)

    async def compact(self) -> int:
        """Nothing: PostgreSQL uses what deleted rows leave for new ones, and tidies up by itself."""
        return 0

    async def close(self) -> None:
        await self._database.close()


def open_postgres(config: PostgresSqlConfig, state_dir: Path) -> PostgresBackend:
    """The database of an `sql_postgres` backend, which is not asked yet."""
    return PostgresBackend(Database(config))
