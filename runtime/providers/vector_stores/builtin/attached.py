"""Files of vector stores: attached, listed, changed and detached."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any

from runtime.access import SYSTEM
from runtime.apis._paging import invalid_cursor
from runtime.apis.vector_stores.attached_file import (
    AttachedFile,
    AttachedFileError,
    AttachedFileList,
    AttachedFileStatus,
    FileToAttach,
    IngestionReport,
    ListAttachedFilesRequest,
    UpdateAttributesRequest,
)
from runtime.clock import stamp
from runtime.context import current
from runtime.errors import NotFound
from runtime.ids import new_position, ordered_id
from runtime.providers.vector_stores.builtin.contextual import Contexts
from runtime.providers.vector_stores.builtin.indexes import Indexes, VectorIndex
from runtime.providers.vector_stores.builtin.ingestion import Ingestion
from runtime.providers.vector_stores.builtin.reading import Reading
from runtime.providers.vector_stores.builtin.stores import Opened, Stores
from runtime.providers.vector_stores.builtin.tables import (
    ATTACHMENT,
    BATCH_FILES,
    FILES,
    GROUPS,
    file_key,
)
from runtime.providers.vector_stores.builtin.writing import taken_out
from runtime.storage import sql
from runtime.storage.sql.paging import read_page

_AT_ONCE = 100
_STAYING = ("id", "usage_bytes")
"""What a file keeps that is attached again."""
_WHAT = "file of this vector store"


class AttachedFiles:
    """rows: all users' rows."""

    def __init__(
        self,
        rows: sql.SqlStore,
        *,
        stores: Stores,
        indexes: Indexes,
        ingestion: Ingestion,
        reading: Reading,
        contexts: Contexts,
    ) -> None:
        self._rows = rows
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
        field: str = "file_id",
        also: Sequence[sql.Statement] = (),
    ) -> list[sql.Row]:
        """Attach files, on disk when this returns; they are ingested by jobs. A file that the store has is ingested
        again, and found as it was until that is done. field: of the request, which names a file, `{}` in the place of
        its number. also: done with it.

        Raises NotFound for a file that the caller does not see; in a batch, it is one that has failed. RequestError for
        a chunking strategy without a chat model; either for a store that is deleted or expires meanwhile. Then none is
        attached.
        """
        await self._contexts.check(one.chunking_strategy for one in files)
        rows, unseen = [_new_row(store.id, one) for one in files], list[tuple[sql.Row, NotFound]]()
        for place, row in enumerate(rows):
            try:
                await self._reading.stored(row["file_id"])
            except NotFound as error:
                if batch_id is None:
                    error.param = field.format(place)
                    raise
                unseen.append((row, error))
        changes = tuple(name for name in rows[0] if name not in _STAYING) if rows else ()
        try:
            await self._rows.write(
                self._stores.is_there(store.id),
                *_overtaken(store.id, [row["file_id"] for row in rows]),
                *(sql.Insert(FILES, row, replace=changes) for row in rows),
                *(sql.Insert(BATCH_FILES, _of_batch(row, batch_id)) for row in rows if batch_id is not None),
                *also,
            )
        except sql.Stale:
            await self._stores.open(store.id)  # says that it is gone
            raise
        for row, reason in unseen:
            await self._ingestion.fail(row, {"code": "invalid_file", "message": reason.message})
        gone = {row["id"] for row, _ in unseen}
        waiting, user = [row for row in rows if row["id"] not in gone], current().user
        for at in range(0, len(waiting), _AT_ONCE):
            await asyncio.gather(*(self._ingestion.enqueue(row, user) for row in waiting[at : at + _AT_ONCE]))
        return rows

    async def page(self, store_id: str, request: ListAttachedFilesRequest) -> AttachedFileList:
        """Raises RequestError for a cursor that is no file of the store."""
        rows, has_more = await _page_of_files(self._rows, FILES, request, sql.eq("store_id", store_id))
        return _shown_page(map(attached_file, rows), has_more=has_more)

    async def page_of_batch(self, batch_id: str, request: ListAttachedFilesRequest) -> AttachedFileList:
        """The files of a batch that the store still has, each with what became of it in this batch.

        Raises RequestError for a cursor that is none of them.
        """
        members, has_more = await _page_of_files(self._rows, BATCH_FILES, request, sql.eq("batch_id", batch_id))
        keys = [file_key(one["store_id"], one["file_id"]) for one in members]
        rows = {row["file_id"]: row for row in await self._rows.select(sql.Select(FILES, sql.one_of("id", keys)))}
        own = [(rows[one["file_id"]], one) for one in members if one["file_id"] in rows]
        ends = [row | {"status": one["status"], "last_error": one["last_error"]} for row, one in own]
        return _shown_page(map(attached_file, ends), has_more=has_more)

    async def get(self, store_id: str, file_id: str) -> sql.Row:
        """Raises NotFound for a file that the store does not have."""
        row = await self._rows.first(sql.Select(FILES, sql.eq("id", file_key(store_id, file_id))))
        if row is None:
            raise NotFound(
                f"The vector store `{store_id}` has no file `{file_id}`", param="file_id", code="file_not_found"
            )
        return row

    async def update(self, store: Opened, request: UpdateAttributesRequest) -> sql.Row:
        """Replace the attributes; the next search knows them. Raises NotFound."""
        row = await self.get(store.id, request.file_id)
        attributes = dict(request.attributes or {})

        async def statements(index: VectorIndex, version: int) -> list[sql.Statement]:
            live = sql.eq("index_number", index.number) & sql.eq("source", request.file_id) & sql.eq("state", "live")
            return [
                sql.Update(FILES, {"attributes": attributes}, sql.eq("id", row["id"])),
                sql.Update(GROUPS, {"attributes": attributes, "changed": version}, live),
            ]

        await self._in_each_index(store.id, statements)
        return row | {"attributes": attributes}

    async def detach(self, store: Opened, file_id: str) -> None:
        """The next search does not find it. Raises NotFound."""
        row = await self.get(store.id, file_id)
        members = sql.eq("store_id", store.id) & sql.eq("file_id", file_id)
        await self._rows.write(sql.Delete(FILES, sql.eq("id", row["id"])), sql.Delete(BATCH_FILES, members))

        async def statements(index: VectorIndex, version: int) -> list[sql.Statement]:
            return await self._taking_out(index, sql.eq("source", file_id), version)

        await self._in_each_index(store.id, statements)
        if row["status"] == "in_progress":
            await self._ingestion.jobs.cancel(row["attachment"], user=SYSTEM)

    async def take_out(self, index: VectorIndex, which: sql.Condition) -> None:
        """Let searches no longer find some groups, and have them removed. Raises Stale if the index is retired."""
        await self._indexes.change(index.number, lambda version: self._taking_out(index, which, version))

    async def _taking_out(self, index: VectorIndex, which: sql.Condition, version: int) -> list[sql.Statement]:
        there = sql.eq("index_number", index.number) & which & sql.one_of("state", ("live", "pending"))
        groups = [row["number"] for row in await self._rows.select(sql.Select(GROUPS, there, ("number",)))]
        return taken_out(index, groups, version)

    async def _in_each_index(
        self, store_id: str, statements: Callable[[VectorIndex, int], Awaitable[Sequence[sql.Statement]]]
    ) -> None:
        """Change each index of a store, also one that comes or takes another's place meanwhile."""
        numbers: list[int] = []
        while numbers != (now := await self._stores.numbers(store_id)):
            numbers = now
            for number in numbers:
                if (index := await self._indexes.get(number)) is not None:
                    with contextlib.suppress(sql.Stale):  # it is retired
                        await self._indexes.change(number, partial(statements, index))


def attached_file(row: sql.Row, *, is_stored: bool | None = None) -> AttachedFile:
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


async def _page_of_files(
    rows: sql.SqlStore, table: sql.Table, request: ListAttachedFilesRequest, where: sql.Condition
) -> tuple[list[sql.Row], bool]:
    """As `read_page`, of a table with one row for each file, whose ids are the cursors of its users."""
    cursors = {"after": request.after, "before": request.before}
    keys: dict[str, str] = {}
    for name, cursor in cursors.items():
        if cursor is not None:
            row = await rows.first(sql.Select(table, where & sql.eq("file_id", cursor), ("id",)))
            if row is None:
                raise invalid_cursor(name, cursor, _WHAT)
            keys[name] = row["id"]
    mine = where if request.filter is None else where & sql.eq("status", request.filter)
    return await read_page(rows, table, request.model_copy(update=keys), where=mine, what=_WHAT)


def _shown_page(files: Iterable[AttachedFile], *, has_more: bool) -> AttachedFileList:
    shown = list(files)
    first, last = (shown[0].id, shown[-1].id) if shown else (None, None)
    return AttachedFileList(data=shown, first_id=first, last_id=last, has_more=has_more)


def _overtaken(store_id: str, file_ids: Sequence[str]) -> list[sql.Statement]:
    """The statements that end what earlier batches still wanted with files that are attached again."""
    mine = sql.eq("store_id", store_id) & sql.eq("status", "in_progress")
    parts = [file_ids[at : at + _AT_ONCE] for at in range(0, len(file_ids), _AT_ONCE)]
    return [sql.Update(BATCH_FILES, {"status": "cancelled"}, mine & sql.one_of("file_id", part)) for part in parts]


def _of_batch(row: sql.Row, batch_id: str) -> sql.Row:
    """The row of a batch for a file's."""
    names = ("position", "store_id", "file_id", "status", "last_error")
    return {"id": row["attachment"], "batch_id": batch_id, **{name: row[name] for name in names}}


def _new_row(store_id: str, file: FileToAttach) -> dict[str, Any]:
    position = new_position()
    strategy = file.chunking_strategy
    return {
        "id": file_key(store_id, file.file_id),
        "position": position,
        "store_id": store_id,
        "file_id": file.file_id,
        "status": "in_progress",
        "created_at": int(stamp()),
        "attributes": dict(file.attributes or {}),
        "chunking": strategy.model_dump(mode="json") if strategy else None,
        "cut": None,
        "usage_bytes": 0,
        "last_error": None,
        "report": None,
        "attachment": ordered_id(ATTACHMENT, position),
    }
