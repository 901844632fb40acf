"""Fills a new index of a store until it has what the old one has; see `reindexing.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.apis.vector_io.protocol import numbers_of
from runtime.errors import NotFound, RequestError, StackError
from runtime.providers.vector_stores.builtin.embedding import TEXTS_AT_ONCE
from runtime.providers.vector_stores.builtin.indexes import Indexes, VectorIndex
from runtime.providers.vector_stores.builtin.indexing import FileIndexing, Report, about
from runtime.providers.vector_stores.builtin.patience import may_pass
from runtime.providers.vector_stores.builtin.reading import Reading
from runtime.providers.vector_stores.builtin.tables import CHUNKS, FILES, GROUPS, file_key
from runtime.providers.vector_stores.builtin.writing import Draft, NewChunk, NewGroup, Writing, seen, taken_out
from runtime.storage import sql

_FILE_IS_GONE = "the file is no longer stored, so it was not cut anew"


@dataclass(frozen=True)
class Difference:
    """missing: groups of the old index that the new one does not have, in the order of their numbers. extra: groups of
    the new one that the old one does not have. files: how many of the old one are files.
    """

    missing: list[sql.Row]
    extra: list[int]
    files: int

    @property
    def missing_files(self) -> int:
        return sum(row["about"] is not None for row in self.missing)

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra)


class Copying:
    """rows: all users' rows."""

    def __init__(
        self, rows: sql.SqlStore, *, indexes: Indexes, indexing: FileIndexing, reading: Reading, writing: Writing
    ) -> None:
        self._rows = rows
        self._indexes = indexes
        self._indexing = indexing
        self._reading = reading
        self._writing = writing

    async def difference(self, old: VectorIndex, new: VectorIndex) -> Difference:
        """Raises Unavailable."""
        there = await self._rows.select(sql.Select(GROUPS, _live(old), order=("number",)))
        copied = await self._rows.select(sql.Select(GROUPS, _live(new), ("number", "content")))
        wanted, known = {row["content"] for row in there}, {row["content"] for row in copied}
        return Difference(
            missing=[row for row in there if row["content"] not in known],
            extra=[row["number"] for row in copied if row["content"] not in wanted],
            files=sum(row["about"] is not None for row in there),
        )

    async def copy(
        self, old: VectorIndex, group: sql.Row, new: VectorIndex, chunking: Mapping[str, Any] | None
    ) -> None:
        """Write a group of the old index into the new one. chunking: how files are cut from now on; None for each as it
        was. Nothing happens if the group is gone meanwhile.

        Raises RequestError that names the file if it cannot be indexed, and what reading, embedding and writing raise
        while something is busy or down.
        """
        try:
            draft, facts = await self._written(old, group, new, chunking)
        except StackError as error:
            if may_pass(error):
                raise
            words = f"`{group['source']}` ({group['filename']}) cannot be indexed: {error.message}"
            raise RequestError(words, hint=error.hint, code=error.code) from error

        async def statements(version: int) -> list[sql.Statement]:
            same = _live(old) & sql.eq("number", group["number"]) & sql.eq("content", group["content"])
            now = await self._rows.first(sql.Select(GROUPS, same, ("attributes",)))
            if now is None:
                raise sql.Stale(f"the group {group['number']} is gone")
            return [seen(draft, version, attributes=now["attributes"], about=facts)]

        try:
            await self._indexes.change(new.number, statements)
        except BaseException as error:
            await self._writing.abandon(draft)
            if not isinstance(error, sql.Stale) or await self._indexes.is_retired(new.number):
                raise

    async def clear(self, new: VectorIndex) -> None:
        """Remove what an earlier attempt has begun to write. Raises Stale if the index is retired."""
        begun = sql.eq("index_number", new.number) & sql.eq("state", "pending")
        rows = await self._rows.select(sql.Select(GROUPS, begun, ("number",)))
        await self.remove(new, [row["number"] for row in rows])

    async def remove(self, new: VectorIndex, groups: Sequence[int]) -> None:
        """Take groups out of the new index again. Raises Stale if it is retired."""
        if not groups:
            return

        async def statements(version: int) -> list[sql.Statement]:
            return taken_out(new, groups, version)

        await self._indexes.change(new.number, statements)

    async def _written(
        self, old: VectorIndex, group: sql.Row, new: VectorIndex, chunking: Mapping[str, Any] | None
    ) -> tuple[Draft, Mapping[str, Any] | None]:
        """The group in the new index, not seen yet, and what is true of its file then."""
        facts = group["about"]
        file = None if facts is None else await self._file(old, group)
        if file is not None:
            asked = file | {"chunking": chunking or file["chunking"]}
            if await self._indexing.cut_of(new, asked["chunking"]) != file["cut"]:
                if await self._is_stored(file["file_id"]):
                    report = Report()
                    draft = await self._indexing.write(new, asked, report)
                    return draft, about(asked, draft, report)
                report_ = file["report"] or {}
                why = [*dict.fromkeys([*report_.get("why", ()), _FILE_IS_GONE])]
                facts = facts | {"report": report_ | {"why": why}}
        draft = await self._from_chunks(old, group, new)
        return draft, None if facts is None else facts | {"usage_bytes": draft.usage_bytes}

    async def _file(self, old: VectorIndex, group: sql.Row) -> sql.Row | None:
        """The row of a group's file; None if the file is attached anew, or some of its chunks have been replaced."""
        mine = sql.eq("id", file_key(old.store_id, group["source"])) & sql.eq("attachment", group["content"])
        return await self._rows.first(sql.Select(FILES, mine & sql.eq("status", "completed")))

    async def _is_stored(self, file_id: str) -> bool:
        try:
            await self._reading.stored(file_id)
        except NotFound:
            return False
        return True

    async def _from_chunks(self, old: VectorIndex, group: sql.Row, new: VectorIndex) -> Draft:
        head = NewGroup(
            source=group["source"],
            filename=group["filename"],
            content=group["content"],
            expires_at=group["expires_at"],
        )
        [draft] = await self._writing.begin(new, [head])
        numbers = numbers_of(group["number"])
        after = numbers.start - 1
        mine = sql.eq("index_number", old.number) & sql.at_most("number", numbers.stop - 1)
        try:
            while rows := await self._rows.select(
                sql.Select(CHUNKS, mine & sql.above("number", after), (), ("number",), TEXTS_AT_ONCE)
            ):
                await self._writing.add(draft, [NewChunk(row["chunk_id"], row["text"], row["facts"]) for row in rows])
                after = rows[-1]["number"]
        except BaseException:
            await self._writing.abandon(draft)
            raise
        return draft


def _live(index: VectorIndex) -> sql.Condition:
    return sql.eq("index_number", index.number) & sql.eq("state", "live")
