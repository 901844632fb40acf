"""What became of the lines of a batch: kept in groups while they are asked, counted, and read in order at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable

from runtime.providers.batches._shared.tables import BATCHES, LINES, TOKENS
from runtime.sse import Json
from runtime.storage.sql import (
    SIZE,
    Condition,
    Delete,
    Groups,
    Insert,
    Select,
    SqlStore,
    Statement,
    Totals,
    Update,
    above,
    eq,
)
from runtime.storage.sql.paging import how_many

_AT_ONCE = 500


class KeptLines:
    """Of one batch. store: of all users. Each method raises Unavailable."""

    def __init__(self, store: SqlStore, batch_id: str) -> None:
        self._store = store
        self._batch_id = batch_id
        self._mine = eq("batch_id", batch_id)

    async def numbers(self) -> set[int]:
        """The numbers of those that are kept."""
        return {row["number"] for row in await self._store.select(Select(LINES, self._mine, ("number",)))}

    async def counts(self) -> Json:
        """The columns of the batch that count them."""
        sums = dict.fromkeys(TOKENS, 0)
        ended = {0: 0, 1: 0}
        for row in await self._store.groups(Groups(LINES, ("is_error",), self._mine, TOKENS)):
            ended[row["is_error"]] = row["count"]
            for name in TOKENS:
                sums[name] += row[name]
        return {"completed": ended[0], "failed": ended[1], **sums}

    async def add(self, lines: Iterable[Json]) -> None:
        """Keep lines; those that are kept stay as they are."""
        rows = [*lines]
        for first in range(0, len(rows), _AT_ONCE):
            await self._store.write(*inserts(self._batch_id, rows[first : first + _AT_ONCE]))

    async def sizes(self, *, are_errors: bool) -> tuple[int, int]:
        """How many lines a file has, and how many bytes."""
        totals = await self._store.totals(Totals(LINES, self._for(are_errors=are_errors), ("size_bytes",)))
        return totals["count"], totals["size_bytes"]

    async def content(self, *, are_errors: bool) -> AsyncGenerator[bytes, None]:
        """The lines of a file in order, many at once."""
        where, last = self._for(are_errors=are_errors), 0
        while True:
            after = where & above("number", last)
            found = await self._store.select(Select(LINES, after, ("number",), ("number",), _AT_ONCE, ("data",)))
            if not found:
                return
            count = how_many([row[SIZE] for row in found])
            rows = await self._store.select(Select(LINES, after, ("number", "data"), ("number",), count))
            last = rows[-1]["number"]
            yield b"".join([row["data"] + b"\n" for row in rows])

    def removal(self) -> Statement:
        """The statement that removes them."""
        return Delete(LINES, self._mine)

    def _for(self, *, are_errors: bool) -> Condition:
        return self._mine & eq("is_error", int(are_errors))


def inserts(batch_id: str, lines: Iterable[Json]) -> list[Insert]:
    """The statements that keep lines."""
    return [Insert(LINES, {"batch_id": batch_id, **line}, replace=()) for line in lines]


class Keeping:
    """Keeps lines as they end: while one group is written the next one gathers. counts: see `KeptLines.counts`."""

    def __init__(self, store: SqlStore, batch_id: str, counts: Json) -> None:
        self._store = store
        self._batch_id = batch_id
        self._counts = counts
        self._gathered: dict[int, Json] = {}
        self._turn = asyncio.Lock()

    async def keep(self, line: Json) -> None:
        """Returns when it is on disk. Raises Unavailable, Stale if the batch is no more."""
        number = line["number"]
        self._gathered[number] = line
        async with self._turn:
            if number not in self._gathered:
                return  # another one's group had it
            group, self._gathered = self._gathered, {}
            try:
                await self._write(group)
            except BaseException:
                del group[number]
                self._gathered |= group  # of others, who each try it themselves
                raise

    async def _write(self, group: dict[int, Json]) -> None:
        counts = dict(self._counts)
        for line in group.values():
            counts["failed" if line["is_error"] else "completed"] += 1
            for name in TOKENS:
                counts[name] += line[name]
        counted = Update(BATCHES, counts, eq("id", self._batch_id))
        await self._store.write(*inserts(self._batch_id, group.values()), counted)
        self._counts = counts
