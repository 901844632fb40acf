"""The chunks of an index with their vectors, as those read them who search for nothing.

They are read in several steps, between which the file may be attached again or detached, and another index may take the
place of this one; then what was there is removed. So at the end it is checked that it still counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runtime.apis.vector_io.protocol import numbers_of
from runtime.apis.vector_stores.attached_file import AttachedFileContent, FileChunk, ReadAttachedFileRequest
from runtime.errors import RequestError, StackError
from runtime.providers.vector_stores.builtin.attached import AttachedFiles
from runtime.providers.vector_stores.builtin.index_vectors import IndexVectors
from runtime.providers.vector_stores.builtin.indexes import Indexes, Retired, VectorIndex
from runtime.providers.vector_stores.builtin.stores import Stores
from runtime.providers.vector_stores.builtin.tables import CHUNKS, GROUPS
from runtime.providers.vector_stores.builtin.vectors import numbers_in
from runtime.storage.sql import Condition, Row, Select, SqlStore, above, at_most, eq

_READ_AT_ONCE = 500


class Contents:
    """rows: all users' rows."""

    def __init__(
        self, rows: SqlStore, *, stores: Stores, attached: AttachedFiles, vectors: IndexVectors, indexes: Indexes
    ) -> None:
        self._rows = rows
        self._stores = stores
        self._attached = attached
        self._vectors = vectors
        self._indexes = indexes

    async def of_file(self, request: ReadAttachedFileRequest) -> AttachedFileContent:
        """The chunks of a file. Raises NotFound, RequestError for a page that is none, Unavailable."""
        while True:
            store = await self._stores.open(request.vector_store_id)
            await self._attached.get(store.id, request.file_id)
            live = _live(store.index) & eq("source", request.file_id)
            groups = await self._rows.select(Select(GROUPS, live, ("number", "about")))
            group = next((one["number"] for one in groups if one["about"] is not None), None)  # others were inserted
            found = AttachedFileContent(data=[])
            try:
                if group is not None:
                    found = await self._page(store.index, group, request)
            except Retired:
                continue
            if await self._indexes.is_retired(store.index.number):
                continue
            if group is None and request.page is not None:
                raise _no_page(request.page)
            return found

    async def embeddings(self, index: VectorIndex, numbers: Sequence[int]) -> dict[int, list[float]]:
        """The vectors of chunks by number, without those that are gone. Raises Retired, Unavailable."""
        found: dict[int, list[float]] = {}
        try:
            for at in range(0, len(numbers), _READ_AT_ONCE):
                read = await self._vectors.read(index, numbers[at : at + _READ_AT_ONCE])
                found |= dict(zip(read.numbers, numbers_in(read.vectors, index.dimension), strict=True))
        except StackError as error:
            if await self._indexes.is_retired(index.number):
                raise Retired from error
            raise
        return found

    async def _page(self, index: VectorIndex, group: int, request: ReadAttachedFileRequest) -> AttachedFileContent:
        """Raises Retired if the group is no longer there at the end, RequestError."""
        rows = await self._chunks(index, group, request)
        page, has_more = rows[: request.limit], len(rows) > request.limit
        embeddings: Mapping[int, list[float]] = {}
        if request.include_embeddings:
            embeddings = await self.embeddings(index, [row["number"] for row in page])
        if await self._rows.first(Select(GROUPS, _live(index) & eq("number", group), ("number",))) is None:
            raise Retired
        return AttachedFileContent(
            data=[_file_chunk(row, embeddings, with_metadata=request.include_metadata) for row in page],
            has_more=has_more,
            next_page=str(page[-1]["number"]) if has_more else None,
        )

    async def _chunks(self, index: VectorIndex, group: int, request: ReadAttachedFileRequest) -> list[Row]:
        """Those of a page, and one more if another page follows."""
        numbers = numbers_of(group)
        after = numbers.start - 1
        if request.page is not None:
            after = int(request.page) if request.page.isdecimal() else -1
            if after not in numbers:
                raise _no_page(request.page)
        mine = eq("index_number", index.number) & above("number", after) & at_most("number", numbers.stop - 1)
        return await self._rows.select(Select(CHUNKS, mine, (), ("number",), request.limit + 1))


def _no_page(given: str) -> RequestError:
    return RequestError(
        f"`page` is `{given}`, which is not a `next_page` of this file",
        hint="read it from its beginning; it may have been attached or indexed anew meanwhile",
        param="page",
        code="invalid_cursor",
    )


def _live(index: VectorIndex) -> Condition:
    return eq("index_number", index.number) & eq("state", "live")


def _file_chunk(row: Row, embeddings: Mapping[int, list[float]], *, with_metadata: bool) -> FileChunk:
    facts = row["facts"] if with_metadata else {}
    return FileChunk(
        text=row["text"],
        embedding=embeddings.get(row["number"]),
        metadata=facts.get("metadata"),
        chunk_metadata=facts.get("chunk_metadata"),
    )
