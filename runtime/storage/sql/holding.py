"""Rows that this process works on while a client waits: it says every few seconds that it still does.

A row whose process has not said so for longer was let go with it: any server that reads it knows that by its
`held_until`, seconds since 1970, without anybody having to look after it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from runtime.clock import wall_time
from runtime.errors import StackError
from runtime.storage.sql.conditions import one_of
from runtime.storage.sql.statements import Update
from runtime.storage.sql.store import SqlStore
from runtime.storage.sql.tables import Table

log = logging.getLogger(__name__)
LEASE_S, RENEWED_S = 30.0, 10.0
"""How long saying so counts, and how often it is said."""


class Spawns(Protocol):
    """Begins background work."""

    def __call__(self, work: Coroutine[Any, Any, None], *, name: str) -> None: ...


class Holding:
    """store: of all users. table: has the columns `id` and `held_until`. clock: seconds since 1970, by which servers
    compare.
    """

    def __init__(self, store: SqlStore, table: Table, spawn: Spawns, *, clock: Callable[[], float] = wall_time) -> None:
        self._store = store
        self._table = table
        self._spawn = spawn
        self._clock = clock
        self._held: set[str] = set()
        self._is_renewing = False

    def until(self) -> float:
        """Until when it counts, if it is said now."""
        return self._clock() + LEASE_S

    def hold(self, row_id: str) -> float:
        """Hold a row until `release`. Returns until when that counts at first."""
        self._held.add(row_id)
        if not self._is_renewing:
            self._is_renewing = True
            self._spawn(self._renew(), name=f"hold rows of {self._store.name}")
        return self.until()

    def release(self, row_id: str) -> None:
        self._held.discard(row_id)

    async def _renew(self) -> None:
        try:
            while self._held:
                await asyncio.sleep(RENEWED_S)
                if not self._held:
                    return
                change = {"held_until": self.until()}
                try:
                    await self._store.write(Update(self._table, change, one_of("id", [*self._held])))
                except StackError as error:  # tried again, while what is held counts
                    extra = {"store": self._store.name, "error": error.message}
                    log.warning("rows that are worked on are not held", extra=extra)
        finally:
            self._is_renewing = False
