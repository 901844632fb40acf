"""Writes segments to the database, and removes them: in transactions short enough that others hardly wait.

    hidden  --- all blocks are there --->  shown  --- merged, outdated, dropped --->  hidden  --->  gone

A small segment is shown by the transaction that writes it. What a process leaves hidden by ending in the middle is
removed by the next one that tidies the collection up.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.ids import new_position
from runtime.storage import sql
from runtime.storage.words.blocks import joined, packed
from runtime.storage.words.ranking import Segment
from runtime.storage.words.segments import NewSegment
from runtime.storage.words.tables import BLOCKS, SEGMENT_BITS, SEGMENTS, block_id, blocks_of

_HIDDEN = -1
"""The `words_version` of a segment that no search sees."""
_AT_ONCE = 64
"""Blocks that one transaction writes or removes, about 0.5 MB."""
_LONGEST_US = 600_000_000
"""Microseconds after which a segment that is still being written counts as left behind."""


class Segments:
    """The segments of all collections in `rows`, as far as they change. words_version: see WordIndex.

    Each method raises Unavailable while the database cannot be used.
    """

    def __init__(self, rows: sql.SqlStore, words_version: int) -> None:
        self._rows = rows
        self._words_version = words_version

    async def add(self, collection: int, made: NewSegment, *, age: int, replaced: Sequence[Segment] = ()) -> None:
        """Show a segment, and hide those that it replaces, at once. Raises Stale if one of these has changed, which
        leaves them as they are.
        """
        row, blocks = await asyncio.to_thread(_as_rows, collection, made)
        of_it = sql.eq("id", row["id"])
        parts = [blocks[at : at + _AT_ONCE] for at in range(0, len(blocks), _AT_ONCE)] or [[]]
        shown = {"words_version": self._words_version, "age": age}
        if len(parts) == 1:
            await self._rows.write(sql.Insert(SEGMENTS, row | shown), *parts[0], *_hides(replaced))
            return
        await self._rows.write(sql.Insert(SEGMENTS, row | {"words_version": _HIDDEN, "age": new_position()}), *parts[0])
        try:
            for step, part in enumerate(parts[1:-1]):
                is_there = sql.Update(SEGMENTS, {"version": step + 1}, of_it & sql.eq("version", step), expect=1)
                await self._rows.write(is_there, *part)
            show = sql.Update(SEGMENTS, {"version": 0, **shown}, of_it & sql.eq("version", len(parts) - 2), expect=1)
            await self._rows.write(show, *parts[-1], *_hides(replaced))
        except sql.Stale:
            await self.discard([row["id"]])
            raise

    async def hide(self, segments: Sequence[Segment]) -> None:
        """Hide segments that are to be discarded. Raises Stale if one has changed, which leaves all as they are."""
        await self._rows.write(*_hides(segments))

    async def mark(self, changes: Sequence[tuple[Segment, NDArray[np.bool_]]]) -> None:
        """Mark texts as removed, in all of these segments or in none: [texts] of each, which are. Raises Stale if a
        segment has changed.
        """
        if changes:
            await self._rows.write(*(_mark(segment, removed) for segment, removed in changes))

    async def discard(self, ids: Sequence[int]) -> None:
        """Remove segments, each of which may be gone."""
        for segment in ids:
            while sum(await self._rows.write(sql.Delete(BLOCKS, blocks_of(segment), limit=_AT_ONCE))):
                pass
            await self._rows.write(sql.Delete(SEGMENTS, sql.eq("id", segment)))

    async def drop(self, collection: int) -> None:
        """Remove all segments of a collection, which searches no longer see from the beginning on."""
        of_it = sql.eq("collection", collection)
        await self._rows.write(sql.Update(SEGMENTS, {"words_version": _HIDDEN, "age": 0}, of_it))
        await self.discard([row["id"] for row in await self._rows.select(sql.Select(SEGMENTS, of_it, ("id",)))])

    async def sweep(self, collection: int) -> None:
        """Remove what has words of an older version, and what was left behind."""
        is_outdated = sql.above("words_version", _HIDDEN) & sql.below("words_version", self._words_version)
        is_left = sql.eq("words_version", _HIDDEN) & sql.below("age", new_position() - _LONGEST_US)
        where = sql.eq("collection", collection) & (is_outdated | is_left)
        await self.discard([row["id"] for row in await self._rows.select(sql.Select(SEGMENTS, where, ("id",)))])


def _as_rows(collection: int, made: NewSegment) -> tuple[sql.Row, list[sql.Statement]]:
    """The row of a segment but for whether it is shown, and the inserts of its blocks."""
    blocks = list(packed(made.postings))
    count, segment = len(made.numbers), secrets.randbits(SEGMENT_BITS)
    row = {
        "id": segment,
        "collection": collection,
        "version": 0,
        "size": made.size,
        "texts": count,
        "live": count,
        "lowest": int(made.numbers.min()),
        "highest": int(made.numbers.max()),
        "starts": joined([start for start, _ in blocks]),
        "numbers": made.numbers.astype("<i8").tobytes(),
        "lengths": made.lengths.astype("<i4").tobytes(),
        "removed": np.packbits(np.zeros(count, np.bool_)).tobytes(),
    }
    return row, [sql.Insert(BLOCKS, {"id": block_id(segment, at), "data": data}) for at, (_, data) in enumerate(blocks)]


def _hides(segments: Sequence[Segment]) -> list[sql.Statement]:
    return [
        sql.Update(SEGMENTS, {"words_version": _HIDDEN, "age": 0}, _unchanged(segment), expect=1)
        for segment in segments
    ]


def _mark(segment: Segment, removed: NDArray[np.bool_]) -> sql.Statement:
    values = {
        "version": segment.version + 1,
        "live": int(len(removed) - removed.sum()),
        "removed": np.packbits(removed).tobytes(),
    }
    return sql.Update(SEGMENTS, values, _unchanged(segment), expect=1)


def _unchanged(segment: Segment) -> sql.Condition:
    """Since it was read. Hiding it gives it another age."""
    return sql.eq("id", segment.id) & sql.eq("version", segment.version) & sql.eq("age", segment.age)
