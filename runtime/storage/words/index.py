"""The index itself: see the package for how it works."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.errors import Unavailable
from runtime.ids import new_position
from runtime.storage.sql import Row, Select, SqlStore, Stale, Totals, eq, one_of
from runtime.storage.words.blocks import split, unpacked
from runtime.storage.words.kept_blocks import KeptBlocks
from runtime.storage.words.ranking import Segment, Texts
from runtime.storage.words.segments import NewSegment, Weight, due, made_of, merged
from runtime.storage.words.tables import BLOCKS, SEGMENTS, blocks_of
from runtime.storage.words.writing import Segments

log = logging.getLogger(__name__)
_MAX_TRIES = 100
_FEW_TEXTS, _FEW_WORDS = 32_768, 16
"""So many are ranked in a few hundred microseconds, in the event loop: a thread for it would cost as much again."""
_MOST_KEPT = 2_000_000
"""Texts of which numbers and lengths are kept in memory, 21 bytes each; those of the last collection anyway."""
_READ = ("id", "version", "age", "starts", "numbers", "lengths", "removed")


class WordIndex:
    """Texts by number, each with its words, in collections that know nothing of each other.

    rows: a store whose schema has `WORD_TABLES`. words_version: of what makes words of texts. Texts with words of
    another version are not found and not counted; those of an older one go at the next change of their collection.

    Everything is on disk when a method returns. Each raises Unavailable while the database cannot be used.
    """

    def __init__(self, rows: SqlStore, words_version: int) -> None:
        self._rows = rows
        self._shown = eq("words_version", words_version)
        self._segments = Segments(rows, words_version)
        self._kept: OrderedDict[int, Texts] = OrderedDict()
        self._known_at: dict[int, int] = {}
        self._blocks = KeptBlocks(rows)
        self._being_tidied: set[int] = set()

    async def put(self, collection: int, entries: Sequence[tuple[int, Sequence[str]]]) -> None:
        """Add texts, or replace those that have their numbers. entries: numbers from 0 to 2**63 - 1, with words in any
        order, as often as a text has them.
        """
        for made in await asyncio.to_thread(_segments_of, entries):
            await self._add(collection, made)
        await self._tidy(collection)

    async def remove(self, collection: int, ranges: Sequence[range]) -> None:
        """Remove the texts with these numbers. ranges: without gaps."""
        bounds = np.array([(one.start, one.stop - 1) for one in ranges if one], np.int64).reshape(-1, 2)
        bounds = bounds[np.argsort(bounds[:, 0])]
        last = np.maximum.accumulate(bounds[:, 1])

        def are_meant(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
            place = np.searchsorted(bounds[:, 0], numbers, side="right") - 1
            return (place >= 0) & (numbers <= last[place])

        if len(bounds):
            await self._mark(collection, are_meant)
            await self._tidy(collection)

    async def drop(self, collection: int) -> None:
        """Remove all texts of a collection."""
        self._kept.pop(collection, None)
        self._known_at.pop(collection, None)
        await self._segments.drop(collection)

    async def texts(self, collection: int, *, known_at: int | None = None) -> Texts:
        """The texts of a collection as they are now: with words of this version, and whole. known_at: a number that is
        another one each time that texts were put which have to be there; while it is the same, they may be as they were
        before, which reads nothing.
        """
        if known_at is not None and self._known_at.get(collection) == known_at:
            self._kept.move_to_end(collection)
            return self._kept[collection]
        texts = await self._texts(collection)
        if known_at is not None and self._kept.get(collection) is texts:
            self._known_at[collection] = known_at
        return texts

    async def search(
        self,
        collection: int,
        words: Sequence[str],
        *,
        limit: int,
        groups: Collection[int] | None = None,
        texts: Texts | None = None,
    ) -> list[tuple[int, float]]:
        """The numbers of the texts that have any of some words, with their BM25 scores: the best first, equally good
        ones by number. words: each counts once. groups: only texts of these groups of numbers (`vector_io.group_of`);
        how rare a word is in the collection stays the same. texts: those of the collection, where they were asked for
        before. Raises Unavailable, also where the collection changes faster than it can be read.
        """
        words = list(dict.fromkeys(words))
        for attempt in range(_MAX_TRIES):
            texts = texts or await self._texts(collection, afresh=attempt > 1)
            is_quick = texts.count <= _FEW_TEXTS and len(words) <= _FEW_WORDS
            wanted = texts.blocks_for(words) if is_quick else await asyncio.to_thread(texts.blocks_for, words)
            blocks = await self._blocks.read(wanted)
            if len(blocks) == len(wanted):
                if is_quick:
                    return texts.best(words, blocks, limit=limit, groups=groups)
                return await asyncio.to_thread(texts.best, words, blocks, limit=limit, groups=groups)
            texts = None  # a segment was merged meanwhile, or its blocks are gone
        raise _too_busy(collection)

    async def _list(self, collection: int, columns: tuple[str, ...]) -> list[Row]:
        """The segments of a collection, the oldest first."""
        where = eq("collection", collection) & self._shown
        return await self._rows.select(Select(SEGMENTS, where, columns, ("age", "id")))

    async def _texts(self, collection: int, *, afresh: bool = False) -> Texts:
        """The texts of a collection as they are now. afresh: whether what is in memory may be wrong."""
        for _ in range(_MAX_TRIES):
            kept = None if afresh else self._kept.get(collection)
            known = {(one.id, one.version): one for one in kept.segments} if kept else {}
            listed = [(row["id"], row["version"]) for row in await self._list(collection, ("id", "version"))]
            if kept is not None and listed == list(known):
                self._keep(collection, kept)
                return kept
            known |= await self._read([segment for segment, version in listed if (segment, version) not in known])
            if all(one in known for one in listed):
                texts = await asyncio.to_thread(Texts, [known[one] for one in listed])
                self._keep(collection, texts)
                return texts
        raise _too_busy(collection)

    async def _read(self, ids: Sequence[int]) -> dict[tuple[int, int], Segment]:
        """Those of these segments that are there, by id and version. One that has lost blocks, as in an export made
        while it was merged, is removed: it is counted no more.
        """
        found = {}
        for row in await self._rows.select(Select(SEGMENTS, one_of("id", ids), _READ)):
            segment = await asyncio.to_thread(_segment_of, row)
            if (await self._rows.totals(Totals(BLOCKS, blocks_of(segment.id))))["count"] == len(segment.starts):
                found[segment.id, segment.version] = segment
            elif await self._rows.first(Select(SEGMENTS, self._shown & eq("id", segment.id), ("id",))):
                log.warning("part of an index of words lost", extra={"texts": len(segment.numbers)})
                await self._segments.discard([segment.id])
        return found

    def _keep(self, collection: int, texts: Texts) -> None:
        if self._kept.get(collection) is not texts:  # whoever was slower may have older ones
            self._kept[collection] = texts
            self._known_at.pop(collection, None)
        self._kept.move_to_end(collection)
        while len(self._kept) > 1 and sum(one.bounds[-1] for one in self._kept.values()) > _MOST_KEPT:
            self._known_at.pop(self._kept.popitem(last=False)[0], None)

    async def _add(self, collection: int, made: NewSegment) -> None:
        older = await self._list(collection, ("age", "lowest", "highest"))
        age = max([new_position(), *(row["age"] + 1 for row in older)])
        await self._segments.add(collection, made, age=age)
        lowest, highest = made.numbers.min(), made.numbers.max()
        if any(row["lowest"] <= highest and row["highest"] >= lowest for row in older):
            await self._mark(collection, lambda numbers: np.isin(numbers, made.numbers), below_age=age)

    async def _mark(
        self,
        collection: int,
        are_meant: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
        *,
        below_age: int | None = None,
    ) -> None:
        """Mark texts as removed. are_meant: of [texts] numbers, which. below_age: only in older segments."""
        for _ in range(_MAX_TRIES):
            texts = await self._texts(collection)
            changes: list[tuple[Segment, NDArray[np.bool_]]] = []
            for one in texts.segments:
                if below_age is None or one.age < below_age:
                    removed = one.removed | await asyncio.to_thread(are_meant, one.numbers)
                    if (removed != one.removed).any():
                        changes.append((one, removed))
            try:
                await self._segments.mark(changes)
                return
            except Stale:
                continue
        raise _too_busy(collection)

    async def _tidy(self, collection: int) -> None:
        """Merge segments until there are few. Whoever comes while that is done leaves it to whoever does it."""
        if collection in self._being_tidied:
            return
        self._being_tidied.add(collection)
        try:
            await self._segments.sweep(collection)
            for _ in range(_MAX_TRIES):
                rows = await self._list(collection, ("id", "size", "texts", "live"))
                chosen = due(Weight(**row) for row in rows)
                if not chosen:
                    return
                await self._merge(collection, chosen)
        finally:
            self._being_tidied.discard(collection)

    async def _merge(self, collection: int, chosen: Sequence[int]) -> None:
        """Put one segment into the place of several, unless these have changed meanwhile."""
        texts = await self._texts(collection)
        sources = [place for place, one in enumerate(texts.segments) if one.id in chosen]
        if len(sources) < len(chosen):
            return
        replaced = [texts.segments[place] for place in sources]
        blocks = [await self._rows.select(Select(BLOCKS, blocks_of(one.id), order=("id",))) for one in replaced]
        counted = [texts.counted(place) for place in sources]
        made = await asyncio.to_thread(_merged, replaced, [[row["data"] for row in part] for part in blocks], counted)
        try:
            if made is None:
                await self._segments.hide(replaced)
            else:
                await self._segments.add(collection, made, age=replaced[-1].age, replaced=replaced)
        except Stale:
            return
        await self._segments.discard(chosen)


def _merged(
    segments: Sequence[Segment], blocks: Sequence[Sequence[bytes]], counted: Sequence[NDArray[np.bool_]]
) -> NewSegment | None:
    parts = zip(segments, blocks, counted, strict=True)
    return merged([(NewSegment(one.numbers, one.lengths, unpacked(data)), kept) for one, data, kept in parts])


def _segments_of(entries: Sequence[tuple[int, Sequence[str]]]) -> list[NewSegment]:
    return list(made_of(dict(entries).items()))


def _segment_of(row: Row) -> Segment:
    numbers = np.frombuffer(row["numbers"], "<i8").astype(np.int64)
    removed = np.unpackbits(np.frombuffer(row["removed"], np.uint8), count=len(numbers)).astype(np.bool_)
    return Segment(
        id=row["id"],
        version=row["version"],
        age=row["age"],
        starts=split(row["starts"]),
        numbers=numbers,
        lengths=np.frombuffer(row["lengths"], "<i4").astype(np.int32),
        removed=removed,
    )


def _too_busy(collection: int) -> Unavailable:
    return Unavailable(
        f"the index of words of collection {collection} is changed by too many at once",
        hint="try again",
        code="storage_busy",
    )
