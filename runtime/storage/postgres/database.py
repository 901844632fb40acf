"""One PostgreSQL database as an event loop uses it: changes go through queues, whose writers commit what waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from runtime.storage.postgres.config import PostgresSettings
from runtime.storage.postgres.connections import Connections
from runtime.storage.postgres.failures import DRIVER_ERRORS, as_ours
from runtime.storage.postgres.writes import MAX_WAITING, Writes


class Database:
    """The database that `settings` name; the first call connects. what: what it is called once it is closed.

    Each call raises Unavailable while the database cannot be used, and RuntimeError once closed.
    """

    def __init__(self, settings: PostgresSettings, what: str = "database") -> None:
        self.connections = Connections(settings)
        self._what = what
        self._queues: list[Writes] = []
        self._closed = False

    def queue(self, *, writers: int | None = None, max_waiting: int | None = None) -> Writes:
        """A queue for changes, which is closed with the database. writers, max_waiting: see Writes."""
        made = Writes(self.connections, self._what, writers=writers or 1, max_waiting=max_waiting or MAX_WAITING)
        self._queues.append(made)
        return made

    async def read(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The rows of a query, which sees every change that was committed before."""
        [rows] = await self.read_each([(sql, values)])
        return rows

    async def read_each(self, queries: Sequence[tuple[str, Sequence[Any]]]) -> list[Sequence[Sequence[Any]]]:
        """The rows of several queries, over one connection."""
        self.check_open()
        return await self._read(queries, may_ask_again=True)

    async def close(self) -> None:
        """Returns when all pending changes are permanent and the connections closed. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(*(queue.close() for queue in self._queues))
        await self.connections.close()

    def check_open(self) -> None:
        """Raises RuntimeError once closed."""
        if self._closed:
            raise RuntimeError(f"the {self._what} is closed")

    async def _read(
        self, queries: Sequence[tuple[str, Sequence[Any]]], *, may_ask_again: bool
    ) -> list[Sequence[Sequence[Any]]]:
        connection = None
        try:
            async with self.connections.use() as connection:
                return [await connection.fetch(sql, *values) for sql, values in queries]
        except DRIVER_ERRORS as error:
            # All connections break when the server is started anew, and a query does no harm if it is asked twice.
            is_broken = connection is not None and connection.is_closed() and not isinstance(error, TimeoutError)
            if may_ask_again and is_broken:
                return await self._read(queries, may_ask_again=False)
            raise as_ours(self.connections.place, "read", error) from error
