"""What happens by itself: stores and chunks expire, what is gone is removed, what was interrupted goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from itertools import count

from runtime.access import ANYBODY, SYSTEM
from runtime.clock import wall_time
from runtime.errors import NotFound, StackError
from runtime.providers.vector_stores.builtin.attached import AttachedFiles
from runtime.providers.vector_stores.builtin.indexes import IN_USE, Indexes, index_of
from runtime.providers.vector_stores.builtin.ingestion import Ingestion
from runtime.providers.vector_stores.builtin.reindexing import Reindexings
from runtime.providers.vector_stores.builtin.removing import Removing
from runtime.providers.vector_stores.builtin.stores import Stores, expired
from runtime.providers.vector_stores.builtin.tables import FILES, GROUPS, INDEXES, STORES, WHOLE_INDEX
from runtime.providers.vector_stores.builtin.writing import given_up, removal
from runtime.storage import sql

log = logging.getLogger(__name__)
_EVERY_S = 60
_ABANDONED_AFTER_S, _ABANDONED_EVERY = 3600, 60
"""After how long, and every how many turns."""
_AT_ONCE = 200
_LOOKED_AFTER = 2000
"""Of the files that wait, so many are looked after every minute: there may be any number of them."""


class Caring:
    """rows: all users' rows."""

    def __init__(
        self,
        rows: sql.SqlStore,
        *,
        stores: Stores,
        indexes: Indexes,
        attached: AttachedFiles,
        ingestion: Ingestion,
        reindexings: Reindexings,
        removing: Removing,
    ) -> None:
        self._rows = rows
        self._stores = stores
        self._indexes = indexes
        self._attached = attached
        self._ingestion = ingestion
        self._reindexings = reindexings
        self._removing = removing
        self._looked_after = -1

    async def run(self) -> None:
        """Every minute; while the tables cannot be read, the next minute again."""
        trouble = ""
        for turn in count():
            try:
                await self.now()
                if turn % _ABANDONED_EVERY == 0:
                    await self.drop_abandoned()
                trouble = ""
            except StackError as error:
                if error.message != trouble:
                    log.warning("vector stores are not looked after", extra={"error": error.message})
                trouble = error.message
            await asyncio.sleep(_EVERY_S)

    async def now(self) -> None:
        """All that is done every minute. Raises Unavailable if the tables cannot be read."""
        now = int(wall_time())
        while stores := await self._rows.select(sql.Select(STORES, sql.at_most("expires_at", 0), limit=_AT_ONCE)):
            for store in stores:
                await self._stores.forget(store)
        while stores := await self._rows.select(sql.Select(STORES, expired(now), limit=_AT_ONCE)):
            for store in stores:
                await self._stores.end(store)
        await self._expire_chunks(now)
        await self._go_on(now)
        await self._reindexings.go_on()
        await self._removing.now()

    async def _expire_chunks(self, now: int) -> None:
        passed = sql.at_most("expires_at", now) & sql.eq("state", "live")
        for number in {
            row["index_number"] for row in await self._rows.select(sql.Select(GROUPS, passed, ("index_number",)))
        }:
            if (index := await self._indexes.get(number)) is not None:
                with contextlib.suppress(sql.Stale):  # it is retired
                    await self._attached.take_out(index, sql.at_most("expires_at", now))

    async def _go_on(self, now: int) -> None:
        """Files whose job was never added, or has ended without them; not those that are just being attached."""
        waiting = sql.eq("status", "in_progress") & sql.below("created_at", now - _EVERY_S)
        further = waiting & sql.above("position", self._looked_after)
        rows = await self._rows.select(sql.Select(FILES, further, order=("position",), limit=_LOOKED_AFTER))
        self._looked_after = rows[-1]["position"] if len(rows) == _LOOKED_AFTER else -1
        for row in rows:
            try:
                job = await self._ingestion.jobs.get(row["attachment"], user=SYSTEM)
            except NotFound:
                store = await self._rows.first(sql.Select(STORES, sql.eq("id", row["store_id"])))
                if store is not None:
                    await self._ingestion.enqueue(row, sql.owner_of(store) or ANYBODY)
            else:
                if job.has_ended:
                    words = (job.error or {}).get("message") or "it was interrupted too often"
                    await self._ingestion.fail(row, {"code": "server_error", "message": str(words)})

    async def drop_abandoned(self) -> None:
        """Give up what was begun by a process that ended: indexes that no store has, and groups of documents that were
        never seen. Their numbers are the time at which they were begun. Raises Unavailable.
        """
        begun = int(wall_time()) - _ABANDONED_AFTER_S
        old = IN_USE & sql.below("number", begun * 1_000_000)
        indexes = await self._rows.select(sql.Select(INDEXES, old))
        stores = await self._rows.select(sql.Select(STORES, columns=("index_number", "next_index")))
        used = {number for row in stores for number in row.values()}
        for row in indexes:
            if row["number"] not in used:
                retired = sql.Update(INDEXES, {"state": "retired"}, sql.eq("number", row["number"]))
                await self._rows.write(retired, removal(index_of(row), WHOLE_INDEX))
        old = sql.eq("state", "pending") & sql.below("number", begun * 1000)
        for row in await self._rows.select(sql.Select(GROUPS, old, limit=_AT_ONCE)):
            index = await self._indexes.get(row["index_number"])
            if index is not None and not await self._is_wanted(row):
                await self._rows.write(*given_up(index, row["number"]))

    async def _is_wanted(self, group: sql.Row) -> bool:
        """Whether a group that is not seen is still being written."""
        ingested = sql.eq("attachment", group["content"]) & sql.eq("status", "in_progress")
        filled = sql.eq("next_index", group["index_number"])
        return (
            await self._rows.first(sql.Select(FILES, sql.eq("file_id", group["source"]) & ingested, ("id",)))
            is not None
            or await self._rows.first(sql.Select(STORES, filled, ("id",))) is not None
        )
