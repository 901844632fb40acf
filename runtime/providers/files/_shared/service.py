"""The files API over any place where bytes can be: owners, pages, expiry, and uploads in parts.

A provider gives it a `FileBackend`, and has nothing else to do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import aclosing
from typing import Any

from runtime.apis._carriers import Download
from runtime.apis.files import upload as upload_api
from runtime.apis.files.file import File, FileDeleted, FileRequest, ListFilesRequest, UploadFileRequest
from runtime.apis.providers.protocol import ProviderHealth
from runtime.clock import wall_time
from runtime.context import current
from runtime.errors import NotSupported, StackError, Unavailable
from runtime.provider import ProviderContext, healthy
from runtime.providers.files._shared.backend import FileBackend, NewFile
from runtime.providers.files._shared.begun import Begun, expire_those_of
from runtime.providers.files._shared.config import FilesConfig
from runtime.providers.files._shared.content import Content, file_too_large
from runtime.providers.files._shared.holder import Holder
from runtime.providers.files._shared.keeper import Keeper
from runtime.providers.files._shared.kept_files import KeptFiles, file_of, seconds_of
from runtime.providers.files._shared.tables import FILES, PARTS, SCHEMA, not_expired, of_purpose
from runtime.providers.files._shared.uploads import UploadsInParts
from runtime.sse import Reply, encode
from runtime.storage.sql import Row, Stale
from runtime.storage.sql.paging import read_page

log = logging.getLogger(__name__)
_COLLECT_EVERY_S = 60.0
_LISTED = ("id", "size_bytes", "created_at", "expires_at", "filename", "purpose")


class FileService:
    """Implements `Files`. backend: where files are; parts: where parts are until their file is complete, by default
    there too. Raises Unavailable if the provider's state folder cannot be written.
    """

    def __init__(
        self, config: FilesConfig, context: ProviderContext, backend: FileBackend, *, parts: FileBackend | None = None
    ) -> None:
        self._max_bytes = config.max_file_bytes
        self._tasks = context.tasks
        self._backend = backend
        self._backends = (backend,) if parts is None else (backend, parts)
        self._store = context.storage.sql(config.metadata_store or "files", SCHEMA)
        self._holder = Holder(context.state_dir / "holders")
        whole = Keeper(backend, Begun(FILES, backend.new_file, self._store, self._holder))
        begun_parts = Begun(PARTS, "part_", self._store, self._holder)
        self._parts = Keeper(parts or backend, begun_parts)
        self._keepers = (whole, self._parts)
        self._files = KeptFiles(config, whole)
        self._uploads = UploadsInParts(config, self._store, self._files, self._parts)

    async def start(self) -> None:
        """Remove what ended processes have left unfinished, and from then on what expires. Raises Unavailable, or
        UpstreamError, if the backend cannot be used.
        """
        for one in self._backends:
            await one.check()
        for name in await asyncio.to_thread(self._holder.ended):
            await self._store.write(expire_those_of(name))
            self._holder.forget(name)
        self._tasks.spawn(self._collect(), name="remove expired files")

    async def stop(self) -> None:
        try:
            for keeper in self._keepers:
                await keeper.release()
            self._holder.forget(self._holder.name)
        except StackError as error:
            log.warning("what uploads may have left is removed at the next start", extra={"error": error.message})
        finally:
            self._holder.release()

    async def check_health(self) -> ProviderHealth:
        """Raises as `start` does."""
        for one in self._backends:
            await one.check()
        return healthy()

    def bytes_of(self, table: str, row: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """See `HoldsBytes`. Raises Unavailable while they are read."""
        return self._of_table(table).read(row["id"], 0, row["size_bytes"])

    async def keep_bytes(self, table: str, row: Mapping[str, Any], content: AsyncIterable[bytes]) -> None:
        """See `HoldsBytes`. Raises Unavailable, and NotSupported for a backend that gives ids of its own."""
        backend = self._of_table(table)
        await backend.remove(row["id"])
        new = NewFile(id=row["id"], filename=row.get("filename", ""), purpose=row.get("purpose", ""))
        if await backend.put(new, content) != row["id"]:
            raise NotSupported(f"`{row['id']}` cannot be kept where files get other ids")

    def _of_table(self, table: str) -> FileBackend:
        return self._backends[-1] if table == PARTS.name else self._backend

    def check_upload(self, operation: str, size_bytes: int) -> None:
        """See `LimitsUploads`. Parts have the limit of their route. Raises TooLarge."""
        if operation == "upload_file" and size_bytes > self._max_bytes:
            raise file_too_large(self._max_bytes)

    async def upload_file(self, request: UploadFileRequest) -> File:
        """Raises TooLarge, and Unavailable if the file cannot be kept."""
        self.check_upload("upload_file", request.file.least_bytes)
        content = Content(request.file, limit_bytes=self._max_bytes)
        try:
            row = await self._files.keep(
                self._store.for_user(current().user),
                content,
                filename=request.file.filename,
                purpose=request.purpose,
                expires_after_s=lambda: seconds_of(request.expires_after),
            )
        except Stale:
            raise Unavailable("The file took longer than a day to arrive", code="upload_too_slow") from None
        return file_of(row)

    async def list_files(self, request: ListFilesRequest) -> Reply:
        """Raises RequestError for a cursor that is no file's id, Unavailable."""
        rows = self._store.for_user(current().user)
        where = not_expired(int(wall_time())) & of_purpose(request.purpose)
        page, has_more = await read_page(rows, FILES, request, where=where, columns=_LISTED, what="file")
        first_id, last_id = (page[0]["id"], page[-1]["id"]) if page else (None, None)
        ends = {"first_id": first_id, "last_id": last_id, "has_more": has_more}
        return Reply(encode({"object": "list", "data": [_listed(row) for row in page], **ends}))

    async def get_file(self, request: FileRequest) -> File:
        """Raises NotFound, Unavailable."""
        return file_of(await self._files.get(self._store.for_user(current().user), request.file_id))

    async def read_file(self, request: FileRequest) -> Download:
        """Raises NotFound, Unavailable."""
        rows = self._store.for_user(current().user)
        row = await self._files.get(rows, request.file_id)

        async def read(begin: int, end: int) -> AsyncGenerator[bytes, None]:
            try:
                async with aclosing(self._backend.read(row["id"], begin, end)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except StackError:
                await self._files.get(rows, row["id"])  # which may have been deleted meanwhile
                raise

        return Download(
            size_bytes=row["size_bytes"],
            read=read,
            content_type=row["content_type"],
            filename=row["filename"],
            etag=f'"{row["checksum"]}"',
        )

    async def delete_file(self, request: FileRequest) -> FileDeleted:
        """Raises NotFound, Unavailable."""
        await self._files.remove(self._store.for_user(current().user), request.file_id)
        return FileDeleted(id=request.file_id)

    async def create_upload(self, request: upload_api.CreateUploadRequest) -> upload_api.FileUpload:
        """See `UploadsInParts`."""
        return await self._uploads.create(request)

    async def add_upload_part(self, request: upload_api.AddUploadPartRequest) -> upload_api.UploadPart:
        """See `UploadsInParts`."""
        return await self._uploads.add_part(request)

    async def complete_upload(self, request: upload_api.CompleteUploadRequest) -> upload_api.FileUpload:
        """See `UploadsInParts`."""
        upload = await self._uploads.complete(request)
        self._tasks.spawn(self._collect_parts(), name="remove parts")
        return upload

    async def cancel_upload(self, request: upload_api.UploadRequest) -> upload_api.FileUpload:
        """See `UploadsInParts`."""
        upload = await self._uploads.cancel(request)
        self._tasks.spawn(self._collect_parts(), name="remove parts")
        return upload

    async def _collect_parts(self) -> None:
        await self._parts.collect(int(wall_time()))

    async def _collect(self) -> None:
        """Remove what has expired, every minute; while the tables cannot be read, the next minute again."""
        trouble = ""
        while True:
            try:
                await self.collect_now()
                trouble = ""
            except StackError as error:
                if error.message != trouble:
                    log.warning("expired files are not removed", extra={"error": error.message})
                trouble = error.message
            await asyncio.sleep(_COLLECT_EVERY_S)

    async def collect_now(self) -> None:
        """Remove what has expired. Raises Unavailable if the tables cannot be read."""
        now = int(wall_time())
        files, parts = [await keeper.collect(now) for keeper in self._keepers]
        await self._uploads.collect(now)
        if files or parts:
            log.info("expired files removed", extra={"files": files, "parts": parts})


def _listed(row: Row) -> dict[str, object]:
    """A file of a list of thousands: the fields of `File`, without a model for each."""
    return {
        "id": row["id"],
        "object": "file",
        "bytes": row["size_bytes"],
        "created_at": row["created_at"],
        "expires_at": row["expires_at"],
        "filename": row["filename"],
        "purpose": row["purpose"],
        "status": "processed",
        "status_details": None,
    }
