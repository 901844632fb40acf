"""Connections to one PostgreSQL database: opened when needed, kept for the next use, replaced when broken.

asyncpg's own pool asks the server once more after each use, to reset what our statements never change, and cannot keep
fewer connections than it may open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import asyncpg

from runtime.errors import Unavailable
from runtime.storage.postgres.config import PostgresSettings
from runtime.storage.postgres.failures import DRIVER_ERRORS
from runtime.storage.unavailable import server_unavailable

Connection = Any
"""asyncpg.Connection, which has no types."""

CONNECT_S = 10.0
"""How long to wait for a new connection, and for a free one where all are in use."""
ANSWER_S = 60.0
"""How long a statement may take. A migration may take as long as it needs."""
_PING_AFTER_S = 1.0
_SPARE_S = 30.0
"""How long a connection beyond `pool_size` is kept for the next burst: a new one costs as much as fifty reads."""


class Connections:
    """A pool for one event loop. place: the database, for messages."""

    def __init__(self, settings: PostgresSettings) -> None:
        self.place = settings.place()
        self._settings = settings
        self._places = asyncio.Semaphore(settings.pool_size + settings.max_overflow)
        self._idle: list[tuple[Connection, float]] = []  # the last one used is used again first
        self._opened: dict[Connection, float] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._shrinking: asyncio.TimerHandle | None = None
        self._closed = False

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Connection]:
        """A connection that works, for the block. One that is left in the middle of something is closed.

        Raises Unavailable if there is none.
        """
        connection = await self._take()
        is_sound = False
        try:
            yield connection
            is_sound = True
        except DRIVER_ERRORS as error:
            if isinstance(error, asyncpg.PostgresError) and not connection.is_closed():
                is_sound = not connection.is_in_transaction()  # it has refused a statement, and takes the next one
            elif not isinstance(error, TimeoutError):
                self._drop_idle()  # what has ended this connection has probably ended all
            raise
        finally:
            self._give_back(connection, is_sound=is_sound)

    async def connect(self, *, answer_s: float | None) -> Connection:
        """A connection that is not of the pool. answer_s: how long its statements may take; None for any time.

        Raises Unavailable.
        """
        settings = self._settings
        url = settings.url()
        parts = {"host": settings.host, "port": settings.port, "database": settings.db, "user": settings.user}
        try:
            return await asyncpg.connect(
                _with_certificates(url, settings.ca_cert_path),
                **({} if url else parts),
                password=settings.password.get_secret_value() if settings.password else None,
                ssl=settings.ssl_mode,
                timeout=CONNECT_S,
                command_timeout=answer_s,
                statement_cache_size=settings.statement_cache_size,
                server_settings={"application_name": "llama-stack"},
            )
        except DRIVER_ERRORS as error:
            raise server_unavailable(self.place, "opened", error) from error

    async def hang_up(self, connection: Connection) -> None:
        """Close a connection that is not of the pool."""
        try:
            await connection.close(timeout=CONNECT_S)
        except DRIVER_ERRORS:
            connection.terminate()

    async def close(self) -> None:
        """Close those that are idle; the others are closed when they are given back."""
        self._closed = True
        self._drop_idle()
        if self._shrinking is not None:
            self._shrinking.cancel()
        while self._closing:
            await asyncio.wait(self._closing)

    async def _take(self) -> Connection:
        await self._wait_for_place()
        try:
            while self._idle:
                connection, since = self._idle.pop()
                if await self._is_usable(connection, since):
                    return connection
                self._drop(connection)
            connection = await self.connect(answer_s=ANSWER_S)
            self._opened[connection] = time.monotonic()
            return connection
        except BaseException:
            self._places.release()
            raise

    def _give_back(self, connection: Connection, *, is_sound: bool) -> None:
        self._places.release()
        if not is_sound or self._closed or connection.is_closed():
            self._drop(connection, is_sound=is_sound)
            return
        self._idle.append((connection, time.monotonic()))
        if len(self._idle) > self._settings.pool_size and self._shrinking is None:
            self._shrinking = asyncio.get_running_loop().call_later(_SPARE_S, self._shrink)

    def _shrink(self) -> None:
        """Close those beyond `pool_size` that were not needed for a while: the first ones of the list."""
        self._shrinking = None
        unused = [since for _, since in self._idle if time.monotonic() - since >= _SPARE_S]
        for _ in range(min(len(unused), len(self._idle) - self._settings.pool_size)):
            self._drop(self._idle.pop(0)[0])
        if len(self._idle) > self._settings.pool_size:
            self._shrinking = asyncio.get_running_loop().call_later(_SPARE_S, self._shrink)

    async def _wait_for_place(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._places.acquire()
        except TimeoutError as error:
            raise Unavailable(
                f"all connections to {self.place} are in use",
                hint="raise `pool_size` or `max_overflow` of its backend",
                code="storage_unavailable",
            ) from error

    async def _is_usable(self, connection: Connection, since: float) -> bool:
        if connection.is_closed():
            return False
        now = time.monotonic()
        recycle_s = self._settings.pool_recycle
        if recycle_s >= 0 and now - self._opened[connection] > recycle_s:
            return False
        if self._settings.pool_pre_ping and now - since > _PING_AFTER_S:
            try:
                await connection.execute("SELECT 1", timeout=CONNECT_S)
            except DRIVER_ERRORS:
                return False
            except BaseException:
                self._drop(connection, is_sound=False)
                raise
        return True

    def _drop_idle(self) -> None:
        while self._idle:
            self._drop(self._idle.pop()[0])

    def _drop(self, connection: Connection, *, is_sound: bool = True) -> None:
        self._opened.pop(connection, None)
        if not is_sound or connection.is_closed():
            connection.terminate()
            return
        task = asyncio.get_running_loop().create_task(self.hang_up(connection))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _with_certificates(url: str | None, path: str | None) -> str | None:
    """The driver takes the file of authorities from a URL only."""
    if path is None:
        return url
    joined = "&" if url and "?" in url else "?"
    return f"{url or 'postgresql://'}{joined}sslrootcert={quote(path)}"
