"""Files of vector stores: attached, listed, changed, read and detached."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from runtime.apis._paging import invalid_cursor
from runtime.apis.vector_io import numbers_of
from runtime.apis.vector_stores.attached_file import (
    AttachedFile,
    AttachedFileContent,
    AttachedFileError,
    AttachedFileList,
    AttachedFileStatus,
    FileChunk,
    FileToAttach,
    IngestionReport,
    ListAttachedFilesRequest,
    ReadAttachedFileRequest,
    UpdateAttributesRequest,
)
from runtime.errors import NotFound, RequestError
from runtime.ids import new_position, ordered_id
from runtime.providers.vector_stores.builtin.contextual import Contexts
from runtime.providers.vector_stores.builtin.index_vectors import IndexVectors
from runtime.providers.vector_stores.builtin.indexes import Index, Indexes
from runtime.providers.vector_stores.builtin.ingestion import Ingestion
from runtime.providers.vector_stores.builtin.reading import Reading
from runtime.providers.vector_stores.builtin.stores import Opened, Stores
from runtime.providers.vector_stores.builtin.tables import CHUNKS, FILES, GROUPS, file_key
from runtime.providers.vector_stores.builtin.vectors import numbers_in
from runtime.providers.vector_stores.builtin.writing import taken_out
from runtime.storage.sql import (
    ALL,
    Condition,
    Delete,
    Insert,
    Row,
    Select,
    SqlStore,
    Stale,
    Statement,
    Update,
    above,
    at_most,
    eq,
    one_of,
)
from runtime.storage.sql.paging import read_page

_ENQUEUED_AT_ONCE = 100
_READ_AT_ONCE = 500
_WHAT = "file of this vector store"


class AttachedFiles:
    """rows: all users' rows."""

    def __init__(
        self,
        rows: SqlStore,
        *,
        stores: Stores,
        vectors: IndexVectors,
        indexes: Indexes,
        ingestion: Ingestion,
        reading: Reading,
        contexts: Contexts,
    ) -> None:
        self._rows = rows
        self._vectors = vectors
        self._stores = stores
        self._indexes = indexes
        self._ingestion = ingestion
        self._reading = reading
        self._contexts = contexts

    async def attach(
        self,
        store: Opened,
        files: Sequence[FileToAttach],
        *,
        batch_id: str | None = None,
        also: Sequence[Statement] = (),
    ) -> list[Row]:
        """Attach files, on disk when this returns; they are ingested by jobs. A file that the store has is ingested
        again, and found as it was until that is done. also: done with it.

        Raises NotFound for a file that the caller does not see; in a batch, it is one that has failed. RequestError for
        a chunking strategy without a chat model. Then none is attached.
        """
        await self._contexts.check(one.chunking_strategy for one in files)
        rows = []
        for one in files:
            row = _new_row(store.id, one, batch_id)
            try:
                await self._reading.filename(one.file_id)
            except NotFound as error:
                if batch_id is None:
                    raise
                row |= {"status": "failed", "last_error": {"code": "invalid_file", "message": error.message}}
            rows.append(row)
        changes = tuple(name for name in rows[0] if name != "id") if rows else ()
        await self._rows.write(*(Insert(FILES, row, replace=changes) for row in rows), *also)
        waiting = [row for row in rows if row["status"] == "in_progress"]
        for at in range(0, len(waiting), _ENQUEUED_AT_ONCE):
            await asyncio.gather(*map(self._ingestion.enqueue, waiting[at : at + _ENQUEUED_AT_ONCE]))
        return rows

    async def page(
        self, store_id: str, request: ListAttachedFilesRequest, *, where: Condition = ALL
    ) -> AttachedFileList:
        """Raises RequestError for a cursor that is no file of the store."""
        mine = eq("store_id", store_id) & where
        if request.filter is not None:
            mine = mine & eq("status", request.filter)
        cursors = {"after": request.after, "before": request.before}
        keys = {name: file_key(store_id, cursor) for name, cursor in cursors.items() if cursor is not None}
        for name, key in keys.items():
            if await self._rows.first(Select(FILES, eq("id", key), ("id",))) is None:
                raise invalid_cursor(name, str(cursors[name]), _WHAT)
        asked = request.model_copy(update=keys)
        rows, has_more = await read_page(self._rows, FILES, asked, where=mine, what=_WHAT)
        shown = [attached_file(row) for row in rows]
        first, last = (shown[0].id, shown[-1].id) if shown else (None, None)
        return AttachedFileList(data=shown, first_id=first, last_id=last, has_more=has_more)

    async def get(self, store_id: str, file_id: str) -> Row:
        """Raises NotFound for a file that the store does not have."""
        row = await self._rows.first(Select(FILES, eq("id", file_key(store_id, file_id))))
        if row is None:
            raise NotFound(
                f"The vector store `{store_id}` has no file `{file_id}`", param="file_id", code="file_not_found"
            )
        return row

    async def update(self, store: Opened, request: UpdateAttributesRequest) -> Row:
        """Replace the attributes; the next search knows them. Raises NotFound."""
        row = await self.get(store.id, request.file_id)
        attributes = dict(request.attributes or {})
        await self._rows.write(Update(FILES, {"attributes": attributes}, eq("id", row["id"])))

        async def statements(index: Index, version: int) -> list[Statement]:
            live = eq("index_number", index.number) & eq("source", request.file_id) & eq("state", "live")
            return [Update(GROUPS, {"attributes": attributes, "changed": version}, live)]

        await self._in_each_index(store.id, statements)
        return row | {"attributes": attributes}

    async def detach(self, store: Opened, file_id: str) -> None:
        """The next search does not find it. Raises NotFound."""
        row = await self.get(store.id, file_id)
        await self._rows.write(Delete(FILES, eq("id", row["id"])))

        async def statements(index: Index, version: int) -> list[Statement]:
            return await self._taking_out(index, eq("source", file_id), version)

        await self._in_each_index(store.id, statements)
        if row["status"] == "in_progress":
            await self._ingestion.jobs.cancel(row["attachment"], user=None)

    async def take_out(self, index: Index, which: Condition) -> None:
        """Let searches no longer find some groups, and have them removed. Raises Stale if the index is retired."""
        await self._indexes.change(index.number, lambda version: self._taking_out(index, which, version))

    async def _taking_out(self, index: Index, which: Condition, version: int) -> list[Statement]:
        there = eq("index_number", index.number) & which & one_of("state", ("live", "pending"))
        groups = [row["number"] for row in await self._rows.select(Select(GROUPS, there, ("number",)))]
        return taken_out(index, groups, version)

    async def _in_each_index(
        self, store_id: str, statements: Callable[[Index, int], Awaitable[Sequence[Statement]]]
    ) -> None:
        """Change each index of a store, also one that comes or takes another's place meanwhile."""
        numbers: list[int] = []
        while numbers != (now := await self._stores.numbers(store_id)):
            numbers = now
            for number in numbers:
                if (index := await self._indexes.get(number)) is not None:
                    with contextlib.suppress(Stale):  # it is retired
                        await self._indexes.change(number, partial(statements, index))

    async def content(self, store: Opened, request: ReadAttachedFileRequest) -> AttachedFileContent:
        """The chunks of a file. Raises NotFound, and RequestError for a page that is none."""
        await self.get(store.id, request.file_id)
        live = eq("index_number", store.index.number) & eq("source", request.file_id) & eq("state", "live")
        groups = await self._rows.select(Select(GROUPS, live, ("number", "about")))
        group = next((one["number"] for one in groups if one["about"] is not None), None)  # others were inserted
        rows = [] if group is None else await self._chunks(store.index, group, request)
        page, has_more = rows[: request.limit], len(rows) > request.limit
        embeddings: Mapping[int, list[float]] = {}
        if request.include_embeddings and page:
            embeddings = await self.embeddings(store.index, [row["number"] for row in page])
        return AttachedFileContent(
            data=[_file_chunk(row, embeddings, with_metadata=request.include_metadata) for row in page],
            has_more=has_more,
            next_page=str(page[-1]["number"]) if has_more else None,
        )

    async def _chunks(self, index: Index, group: int, request: ReadAttachedFileRequest) -> list[Row]:
        numbers = numbers_of(group)
        after = numbers.start - 1
        if request.page is not None:
            after = int(request.page) if request.page.isdecimal() else -1
            if after not in numbers:
                raise RequestError(
                    f"`page` is `{request.page}`, which is not a `next_page` of this file",
                    param="page",
                    code="invalid_cursor",
                )
        mine = eq("index_number", index.number) & above("number", after) & at_most("number", numbers.stop - 1)
        return await self._rows.select(Select(CHUNKS, mine, (), ("number",), request.limit + 1))

    async def embeddings(self, index: Index, numbers: Sequence[int]) -> dict[int, list[float]]:
        found: dict[int, list[float]] = {}
        for at in range(0, len(numbers), _READ_AT_ONCE):
            read = await self._vectors.read(index, numbers[at : at + _READ_AT_ONCE])
            found |= dict(zip(read.numbers, numbers_in(read.vectors, index.dimension), strict=True))
        return found


def attached_file(row: Row, *, is_stored: bool | None = None) -> AttachedFile:
    """An attached file as the API has it."""
    status: AttachedFileStatus = row["status"]
    error, report = row["last_error"], row["report"]
    return AttachedFile(
        id=row["file_id"],
        created_at=row["created_at"],
        vector_store_id=row["store_id"],
        usage_bytes=row["usage_bytes"],
        status=status,
        last_error=AttachedFileError(**error) if error else None,
        attributes=row["attributes"],
        chunking_strategy=row["cut"] or row["chunking"] or {"type": "auto"},
        report=IngestionReport(**report) if report else None,
        is_stored=is_stored,
    )


def _new_row(store_id: str, file: FileToAttach, batch_id: str | None) -> dict[str, Any]:
    position = new_position()
    strategy = file.chunking_strategy
    return {
        "id": file_key(store_id, file.file_id),
        "position": position,
        "store_id": store_id,
        "file_id": file.file_id,
        "status": "in_progress",
        "created_at": int(time.time()),
        "attributes": dict(file.attributes or {}),
        "chunking": strategy.model_dump(mode="json") if strategy else None,
        "cut": None,
        "usage_bytes": 0,
        "last_error": None,
        "report": None,
        "batch_id": batch_id,
        "attachment": ordered_id("ingest_", position),
    }


def _file_chunk(row: Row, embeddings: Mapping[int, list[float]], *, with_metadata: bool) -> FileChunk:
    facts = row["facts"] if with_metadata else {}
    return FileChunk(
        text=row["text"],
        embedding=embeddings.get(row["number"]),
        metadata=facts.get("metadata"),
        chunk_metadata=facts.get("chunk_metadata"),
    )
