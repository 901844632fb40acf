"""Files that come in parts. Each part is kept like a file; completing copies them, in order, into one."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from runtime.apis.files import upload as upload_api
from runtime.clock import stamp, wall_time
from runtime.context import current
from runtime.errors import Conflict, NotFound, RequestError, StackError, TooLarge
from runtime.ids import new_position, ordered_id
from runtime.providers.files._shared.backend import FileBackend
from runtime.providers.files._shared.config import FilesConfig
from runtime.providers.files._shared.content import Content
from runtime.providers.files._shared.keeper import Keeper
from runtime.providers.files._shared.kept_files import KeptFiles, file_of, seconds_of, shown, storable
from runtime.providers.files._shared.tables import PARTS, UPLOADS, not_expired
from runtime.storage import sql

_UPLOAD_TTL_S = 3600
_IDS_AT_ONCE = 500


class UploadsInParts:
    """The four operations of OpenAI's Uploads API. parts: keeps the bytes until the file is complete."""

    def __init__(self, config: FilesConfig, store: sql.SqlStore, files: KeptFiles, parts: Keeper) -> None:
        self._max_bytes = config.max_upload_bytes
        self._store = store
        self._files = files
        self._parts = parts

    async def create(self, request: upload_api.CreateUploadRequest) -> upload_api.FileUpload:
        """Raises TooLarge."""
        if request.bytes > self._max_bytes:
            raise TooLarge(
                f"The file would have {request.bytes} bytes, and the most are {self._max_bytes}",
                hint="raise `max_upload_bytes` in the provider's config",
                param="bytes",
            )
        now = int(stamp())
        row = {
            "id": ordered_id("upload_", new_position()),
            "size_bytes": request.bytes,
            "created_at": now,
            "expires_at": now + _UPLOAD_TTL_S,
            "filename": storable(request.filename),
            "purpose": request.purpose,
            "file_expires_after_s": seconds_of(request.expires_after),
            "status": "pending",
        }
        await self._store.for_user(current().user).write(sql.Insert(UPLOADS, row))
        return _upload_of(row)

    async def add_part(self, request: upload_api.AddUploadPartRequest) -> upload_api.UploadPart:
        """Raises NotFound, Conflict, and TooLarge for a part of more than 64 MiB."""
        rows = self._store.for_user(current().user)
        upload = await self._pending(rows, request.upload_id)
        limit = min(upload_api.MAX_PART_BYTES, upload["size_bytes"])
        if request.data.least_bytes > limit:
            raise _part_too_large(limit)
        content = Content(request.data, limit_bytes=limit)
        still_pending = sql.Update(UPLOADS, {"status": "pending"}, _is_pending(upload["id"]), expect=1)
        try:
            part = await self._parts.keep(
                rows,
                content,
                facts=lambda: {"upload_id": upload["id"], "expires_at": upload["expires_at"]},
                also=lambda part_id: (still_pending,),
            )
        except sql.Stale:
            raise _over(upload["id"]) from None
        except TooLarge:
            if content.size_bytes <= limit:
                raise
            raise _part_too_large(limit) from None
        return upload_api.UploadPart(id=part["id"], created_at=part["created_at"], upload_id=upload["id"])

    async def complete(self, request: upload_api.CompleteUploadRequest) -> upload_api.FileUpload:
        """Raises NotFound; Conflict if the upload is over; RequestError for unknown parts and for wrong bytes."""
        rows = self._store.for_user(current().user)
        upload = await self._pending(rows, request.upload_id)
        try:
            return await self._completed(rows, upload, request)
        except StackError:
            await self._pending(rows, upload["id"])  # whose parts go when it is cancelled meanwhile
            raise

    async def _completed(
        self, rows: sql.SqlStore, upload: sql.Row, request: upload_api.CompleteUploadRequest
    ) -> upload_api.FileUpload:
        parts = await _parts_of(rows, upload, request.part_ids)
        md5 = hashlib.md5(usedforsecurity=False)
        content = Content(
            _joined(self._parts.backend, parts),
            limit_bytes=upload["size_bytes"],
            more=(md5,) if request.md5 else (),
        )

        def checked_expiry() -> int | None:
            if request.md5 and md5.hexdigest() != request.md5.lower():
                raise RequestError(
                    f"The file's MD5 is {md5.hexdigest()}, not `{request.md5}`", param="md5", code="checksum_mismatch"
                )
            seconds: int | None = upload["file_expires_after_s"]
            return seconds

        done = sql.Update(UPLOADS, {"status": "completed"}, _is_pending(upload["id"]), expect=1)
        expired = _parts_expire(upload["id"])
        try:
            file = await self._files.keep(
                rows,
                content,
                filename=upload["filename"],
                purpose=upload["purpose"],
                expires_after_s=checked_expiry,
                also=lambda file_id: (done, expired),
            )
        except sql.Stale:
            raise _over(upload["id"]) from None
        return _upload_of({**upload, "status": "completed"}, file)

    async def cancel(self, request: upload_api.UploadRequest) -> upload_api.FileUpload:
        """Raises NotFound; Conflict if the upload is over."""
        rows = self._store.for_user(current().user)
        upload = await self._pending(rows, request.upload_id)
        try:
            await rows.write(
                sql.Update(UPLOADS, {"status": "cancelled"}, _is_pending(upload["id"]), expect=1),
                _parts_expire(upload["id"]),
            )
        except sql.Stale:
            raise _over(upload["id"]) from None
        return _upload_of({**upload, "status": "cancelled"})

    async def collect(self, now: int) -> None:
        """Forget uploads that have expired; their parts have expired with them. Raises Unavailable."""
        await self._store.write(sql.Delete(UPLOADS, sql.at_most("expires_at", now)))

    async def _pending(self, rows: sql.SqlStore, upload_id: str) -> sql.Row:
        row = await rows.first(sql.Select(UPLOADS, sql.eq("id", upload_id) & not_expired(int(wall_time()))))
        if row is None:
            raise NotFound(
                f"There is no upload `{upload_id}`",
                hint="an upload expires an hour after it was begun",
                param="upload_id",
                code="upload_not_found",
            )
        if row["status"] != "pending":
            raise Conflict(f"The upload `{upload_id}` is {row['status']}", param="upload_id", code="upload_over")
        return row


def _is_pending(upload_id: str) -> sql.Condition:
    return sql.eq("id", upload_id) & sql.eq("status", "pending") & not_expired(int(wall_time()))


def _parts_expire(upload_id: str) -> sql.Update:
    """One that still arrives gets no row: it sees then that the upload is over."""
    return sql.Update(PARTS, {"expires_at": 0}, sql.eq("upload_id", upload_id))


async def _parts_of(rows: sql.SqlStore, upload: sql.Row, part_ids: Sequence[str]) -> list[sql.Row]:
    """The parts in the order of `part_ids`. Raises RequestError for one that is not the upload's, for a repeated one,
    and if they do not have as many bytes as were announced.
    """
    found: dict[str, sql.Row] = {}
    mine = sql.eq("upload_id", upload["id"]) & not_expired(int(wall_time()))
    for at in range(0, len(part_ids), _IDS_AT_ONCE):
        some = sql.one_of("id", part_ids[at : at + _IDS_AT_ONCE])
        query = sql.Select(PARTS, mine & some, ("id", "size_bytes"))
        found |= {row["id"]: row for row in await rows.select(query)}
    for part_id in part_ids:
        if part_id not in found:
            raise RequestError(
                f"The upload `{upload['id']}` has no part `{part_id}`", param="part_ids", code="part_not_found"
            )
    if len(found) != len(part_ids):
        raise RequestError("A part is named twice", param="part_ids", code="invalid_value")
    size = sum(part["size_bytes"] for part in found.values())
    if size != upload["size_bytes"]:
        raise RequestError(
            f"The parts have {size} bytes, and {upload['size_bytes']} were announced",
            param="part_ids",
            code="wrong_size",
        )
    return [found[part_id] for part_id in part_ids]


async def _joined(backend: FileBackend, parts: Sequence[sql.Row]) -> AsyncIterator[bytes]:
    for part in parts:
        async with aclosing(backend.read(part["id"], 0, part["size_bytes"])) as chunks:
            async for chunk in chunks:
                yield chunk


def _upload_of(row: sql.Row, file: sql.Row | None = None) -> upload_api.FileUpload:
    return upload_api.FileUpload(**shown(row), status=row["status"], file=None if file is None else file_of(file))


def _over(upload_id: str) -> Conflict:
    return Conflict(f"The upload `{upload_id}` was completed, cancelled or expired meanwhile", code="upload_over")


def _part_too_large(limit: int) -> TooLarge:
    return TooLarge(f"The part is larger than {limit} bytes", param="data")
