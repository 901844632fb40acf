"""Removes from everywhere what nothing shows any more, as often as it takes; see `tables.py`."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from runtime.apis.vector_io.protocol import numbers_of
from runtime.errors import StackError
from runtime.provider import Tasks
from runtime.providers.vector_stores.builtin.index_vectors import IndexVectors
from runtime.providers.vector_stores.builtin.indexes import Indexes
from runtime.providers.vector_stores.builtin.tables import CHUNKS, GROUPS, INDEXES, REMOVALS, WHOLE_INDEX
from runtime.providers.vector_stores.builtin.words import Words
from runtime.storage import sql
from runtime.storage.sql.conditions import Condition

log = logging.getLogger(__name__)
_AT_ONCE = 200
_CHUNKS_AT_ONCE = 2000
_MANY_DEAD = 1000
"""So many groups that are gone are kept, so that readers learn which ones went; then all are forgotten at once."""


class Removing:
    """rows: all users' rows. tasks: of the provider."""

    def __init__(self, rows: sql.SqlStore, words: Words, vectors: IndexVectors, indexes: Indexes, tasks: Tasks) -> None:
        self._rows = rows
        self._words = words
        self._vectors = vectors
        self._indexes = indexes
        self._tasks = tasks
        self._lock = asyncio.Lock()
        self._is_wanted = False
        self._down: set[str] = set()

    def soon(self) -> None:
        """Remove in the background what waits for it, once for all who want that meanwhile. A database that could not
        be used is left alone until `now` asks it: one that hangs would be waited for after each change.
        """
        if not self._is_wanted:
            self._is_wanted = True
            self._tasks.spawn(self._wanted(), name="remove chunks")

    async def now(self) -> None:
        """Remove what waits for it; what cannot be removed now is tried again later. Raises Unavailable if the tables
        cannot be read.
        """
        async with self._lock:
            self._down.clear()
            await self._all()

    async def _wanted(self) -> None:
        try:
            async with self._lock:
                self._is_wanted = False
                await self._all()
        finally:
            self._is_wanted = False

    async def _all(self) -> None:
        after = (-1, WHOLE_INDEX - 1)
        while waiting := await self._rows.select(sql.Select(REMOVALS, _after(after), (), REMOVALS.key, _AT_ONCE)):
            for one in waiting:
                after, provider_id = (one["index_number"], one["number"]), one["provider_id"]
                if provider_id in self._down:
                    continue
                try:
                    await self._remove(one)
                except StackError as error:
                    self._down.add(provider_id)
                    log.warning("chunks are removed later", extra={"provider": provider_id, "error": error.message})

    async def _remove(self, one: sql.Row) -> None:
        index, group = one["index_number"], one["number"]
        place = one["provider_id"], one["collection"]
        mine = sql.eq("index_number", index)
        if group == WHOLE_INDEX:
            await self._vectors.drop(*place)
            await self._words.index.drop(index)
            await self._delete_chunks(mine)
            await self._rows.write(
                sql.Delete(GROUPS, mine), sql.Delete(INDEXES, sql.eq("number", index)), sql.Delete(REMOVALS, mine)
            )
            return
        if await self._rows.first(sql.Select(GROUPS, mine & sql.eq("number", group) & sql.eq("state", "live"))):
            # Whoever wrote it was cancelled as it became live, and gave it up: it was too late for that.
            await self._rows.write(sql.Delete(REMOVALS, mine & sql.eq("number", group)))
            return
        numbers = numbers_of(group)
        await self._vectors.remove_groups(*place, [group])
        await self._words.index.remove(index, [numbers])
        await self._delete_chunks(
            mine & sql.above("number", numbers.start - 1) & sql.at_most("number", numbers.stop - 1)
        )
        await self._rows.write(sql.Delete(REMOVALS, mine & sql.eq("number", group)))
        await self._forget_dead(index)

    async def _delete_chunks(self, which: Condition) -> None:
        while True:
            [deleted] = await self._rows.write(sql.Delete(CHUNKS, which, limit=_CHUNKS_AT_ONCE))
            if deleted < _CHUNKS_AT_ONCE:
                return

    async def _forget_dead(self, index: int) -> None:
        """Delete the rows of groups that are gone, and have every reader begin anew."""
        dead = sql.eq("index_number", index) & sql.eq("state", "dead")
        waiting = sql.eq("index_number", index)
        if (await self._rows.totals(sql.Totals(GROUPS, dead)))["count"] < _MANY_DEAD:
            return
        if (await self._rows.totals(sql.Totals(REMOVALS, waiting)))["count"]:
            return

        async def statements(version: int) -> list[sql.Statement]:
            return [sql.Delete(GROUPS, dead), sql.Update(INDEXES, {"floor": version}, sql.eq("number", index))]

        with contextlib.suppress(sql.Stale):  # then the index is retired
            await self._indexes.change(index, statements)


def _after(place: tuple[int, int]) -> Condition:
    return Condition("(index_number, number) > (?, ?)", place)
