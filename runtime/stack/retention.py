"""Removes what the run config's `storage.retention` no longer keeps, in the background, again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial

from runtime.clock import wall_time
from runtime.durations import duration
from runtime.errors import StackError
from runtime.storage.analytics.tables import AnalyticsTable
from runtime.storage.sql.ageing import remove_older
from runtime.storage.sql.store import SqlStore
from runtime.storage.sql.tables import Table
from runtime.storage.stores import Stores

log = logging.getLogger(__name__)
EVERY_S, AGAIN_S = 3600.0, 60.0
_PAUSE_S = 0.05


class Retention:
    """limits: by kind, how many seconds what a stack keeps of it stays. clock: seconds since 1970. changed: called when
    `trouble` has come, gone or become another.

    What has more outside of its store is only marked: its provider removes both.
    """

    def __init__(
        self,
        stores: Stores,
        limits: Mapping[str, float],
        *,
        clock: Callable[[], float] = wall_time,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._stores = stores
        self._limits = limits
        self._clock = clock
        self._changed = changed
        self._troubles: dict[str, str] = {}

    @property
    def trouble(self) -> str:
        """Which kinds were not removed at the last turn, and why; empty if all were."""
        causes = "; ".join(f"{kind}: {why}" for kind, why in self._troubles.items())
        return causes and f"what is too old is not removed: {causes}"

    async def run(self) -> None:
        """For as long as the server runs: at once, and then every hour. After a failure, every minute."""
        while True:
            await self.turn()
            await asyncio.sleep(AGAIN_S if self._troubles else EVERY_S)

    async def turn(self) -> dict[str, int]:
        """Remove what is too old now. Returns how many of each kind went; a kind that fails is `trouble` alone."""
        gone: dict[str, int] = {}
        troubles: dict[str, str] = {}
        for kind, remove in self._due():
            try:
                gone[kind] = gone.get(kind, 0) + await remove()
            except StackError as error:
                troubles[kind] = error.message
            except Exception as error:  # a fault of ours: the other kinds have nothing to do with it
                troubles[kind] = f"{type(error).__name__}; the server's log says why"
                if troubles[kind] != self._troubles.get(kind):
                    log.exception("what is too old was not removed", extra={"kind": kind})
        self._note(troubles)
        return gone

    def _note(self, troubles: dict[str, str]) -> None:
        if troubles != self._troubles:  # logged once, although it is tried again every minute
            self._troubles = troubles
            if troubles:
                log.warning("what is too old is removed later", extra={"error": self.trouble})
            self._changed()

    def _due(self) -> Iterator[tuple[str, Callable[[], Awaitable[int]]]]:
        for store in self._stores.tables():
            for table in store.schema.tables:
                if table.holds in self._limits and table.aged_by is not None:
                    yield table.holds, partial(self._remove_of, store, table)
        for aged in self._stores.analytics().tables:
            if aged.name in self._limits and aged.aged_by is not None:
                yield aged.name, partial(self._remove_analytics, aged)

    async def _remove_of(self, store: SqlStore, table: Table) -> int:
        now, count = self._clock(), 0
        async for removed in remove_older(store, table, now - self._limits[table.holds], now):
            count += removed
            await asyncio.sleep(_PAUSE_S)  # others come in between
        self._log(table.holds, count)
        return count

    async def _remove_analytics(self, table: AnalyticsTable) -> int:
        before = self._clock() - self._limits[table.name]
        count = await self._stores.analytics().remove_before(table, before)
        self._log(table.name, count)
        return count

    def _log(self, kind: str, count: int) -> None:
        if count:
            about = {"kind": kind, "count": count, "older_than": duration(self._limits[kind])}
            log.info("removed what was too old", extra=about)
