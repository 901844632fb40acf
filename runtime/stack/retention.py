"""Removes what the run config's `storage.retention` no longer keeps, in the background, again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from runtime.clock import wall_time
from runtime.durations import duration
from runtime.errors import Unavailable
from runtime.storage.sql.ageing import remove_older
from runtime.storage.sql.store import SqlStore
from runtime.storage.sql.tables import Table
from runtime.storage.stores import Stores

log = logging.getLogger(__name__)
EVERY_S = 3600.0
_PAUSE_S = 0.05


class Retention:
    """limits: by kind, how many seconds what a stack keeps of it stays. clock: seconds since 1970.

    What has bytes outside of its database is only marked: its provider removes both.
    """

    def __init__(self, stores: Stores, limits: Mapping[str, float], *, clock: Callable[[], float] = wall_time) -> None:
        self._stores = stores
        self._limits = limits
        self._clock = clock

    async def run(self) -> None:
        """For as long as the server runs: at once, and then every hour. While a database cannot be used, later."""
        while True:
            try:
                await self.turn()
            except Unavailable as error:
                log.warning("what is too old is removed later", extra={"error": error.message})
            except Exception:  # a fault of ours: what is too old would else stay until the next start
                log.exception("what is too old was not removed")
            await asyncio.sleep(EVERY_S)

    async def turn(self) -> dict[str, int]:
        """Remove what is too old now. Returns how many of each kind went. Raises Unavailable."""
        gone: dict[str, int] = {}
        for store in self._stores.tables():
            for table in store.schema.tables:
                if table.holds in self._limits and table.aged_by is not None:
                    gone[table.holds] = gone.get(table.holds, 0) + await self._turn_of(store, table)
        analytics = self._stores.analytics()
        for aged in analytics.tables:
            if aged.name in self._limits and aged.aged_by is not None:
                gone[aged.name] = await analytics.remove_before(aged, self._clock() - self._limits[aged.name])
                self._log(aged.name, gone[aged.name])
        return gone

    async def _turn_of(self, store: SqlStore, table: Table) -> int:
        now, count = self._clock(), 0
        async for removed in remove_older(store, table, now - self._limits[table.holds], now):
            count += removed
            await asyncio.sleep(_PAUSE_S)  # others come in between
        self._log(table.holds, count)
        return count

    def _log(self, kind: str, count: int) -> None:
        if count:
            about = {"kind": kind, "count": count, "older_than": duration(self._limits[kind])}
            log.info("removed what was too old", extra=about)
