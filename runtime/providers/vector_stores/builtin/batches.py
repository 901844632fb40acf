"""Batches of files that are attached together. Each knows its own attempts, also at files that were attached since."""

from __future__ import annotations

from runtime.apis.vector_stores.attached_file import AttachedFileList, AttachedFileStatus
from runtime.apis.vector_stores.batch import CreateFileBatchRequest, FileBatch, ListBatchFilesRequest
from runtime.apis.vector_stores.store import FileCounts
from runtime.clock import stamp
from runtime.errors import NotFound
from runtime.ids import new_position, ordered_id
from runtime.providers.vector_stores.builtin.attached import AttachedFiles
from runtime.providers.vector_stores.builtin.ingestion import Ingestion
from runtime.providers.vector_stores.builtin.stores import Opened
from runtime.providers.vector_stores.builtin.tables import BATCH_FILES, BATCHES, file_key
from runtime.storage.sql import Groups, Insert, Row, Select, SqlStore, Update, eq

_AT_ONCE = 500


class FileBatches:
    """rows: all users' rows."""

    def __init__(self, rows: SqlStore, *, attached: AttachedFiles, ingestion: Ingestion) -> None:
        self._rows = rows
        self._attached = attached
        self._ingestion = ingestion

    async def create(self, store: Opened, request: CreateFileBatchRequest) -> FileBatch:
        """Attach files; one that the caller does not see has failed. Raises as `AttachedFiles.attach` does."""
        batch_id = ordered_id("vsfb_", new_position())
        row: Row = {
            "id": batch_id,
            "store_id": store.id,
            "created_at": int(stamp()),
            "is_cancelled": 0,
        }
        await self._attached.attach(store, request.to_attach(), batch_id=batch_id, also=[Insert(BATCHES, row)])
        return await self._shown(row)

    async def get(self, store_id: str, batch_id: str) -> FileBatch:
        """Raises NotFound."""
        return await self._shown(await self._row(store_id, batch_id))

    async def files(self, request: ListBatchFilesRequest) -> AttachedFileList:
        """One page of its files. Raises NotFound, and RequestError for a cursor that is none of them."""
        await self._row(request.vector_store_id, request.batch_id)
        return await self._attached.page_of_batch(request.batch_id, request)

    async def cancel(self, store_id: str, batch_id: str) -> FileBatch:
        """Give up what is not ingested yet; the rest stays. Raises NotFound."""
        row = await self._row(store_id, batch_id)
        waiting = eq("batch_id", batch_id) & eq("status", "in_progress")
        while members := await self._rows.select(Select(BATCH_FILES, waiting, ("id", "file_id"), (), _AT_ONCE)):
            rows = [
                {"id": file_key(store_id, one["file_id"]), "file_id": one["file_id"], "attachment": one["id"]}
                for one in members
            ]
            await self._ingestion.cancel(store_id, rows)
        await self._rows.write(Update(BATCHES, {"is_cancelled": 1}, eq("id", batch_id)))
        return await self._shown(row | {"is_cancelled": 1})

    async def _row(self, store_id: str, batch_id: str) -> Row:
        row = await self._rows.first(Select(BATCHES, eq("id", batch_id) & eq("store_id", store_id)))
        if row is None:
            raise NotFound(
                f"The vector store `{store_id}` has no file batch `{batch_id}`",
                param="batch_id",
                code="batch_not_found",
            )
        return row

    async def _shown(self, row: Row) -> FileBatch:
        counts = FileCounts()
        for one in await self._rows.groups(Groups(BATCH_FILES, ("status",), eq("batch_id", row["id"]))):
            setattr(counts, one["status"], one["count"])
            counts.total += one["count"]
        return FileBatch(
            id=row["id"],
            created_at=row["created_at"],
            vector_store_id=row["store_id"],
            status=_status(row, counts),
            file_counts=counts,
        )


def _status(row: Row, counts: FileCounts) -> AttachedFileStatus:
    if counts.in_progress:
        return "in_progress"
    if row["is_cancelled"]:
        return "cancelled"
    if counts.completed or not counts.total:
        return "completed"
    return "failed" if counts.failed else "cancelled"
