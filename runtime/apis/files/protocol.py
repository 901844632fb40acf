"""The operations of the API `files`."""

from __future__ import annotations

from typing import Protocol

from runtime.apis._api import route
from runtime.apis._carriers import Download
from runtime.apis.files.file import (
    File,
    FileDeleted,
    FileList,
    FileRequest,
    ListFilesRequest,
    UploadFileRequest,
)
from runtime.apis.files.limits import MAX_FILE_BYTES
from runtime.apis.files.upload import (
    MAX_PART_BYTES,
    AddUploadPartRequest,
    CompleteUploadRequest,
    CreateUploadRequest,
    FileUpload,
    UploadPart,
    UploadRequest,
)
from runtime.errors import Conflict, RangeNotSatisfiable, Unavailable
from runtime.sse import Reply

_FORM_BYTES = 2 * 1024**2
"""For what a form has beside its file."""


class Files(Protocol):
    """A caller's own files and those of users with whom the caller shares a group; any other is a 404."""

    @route(
        "POST",
        "/v1/files",
        aliases=("/v1/openai/v1/files",),
        body="form",
        limit_bytes=MAX_FILE_BYTES + _FORM_BYTES,
        raises=(Unavailable,),
    )
    async def upload_file(self, request: UploadFileRequest) -> File:
        """Keep a file; it is on disk when this answers. 413 for one that is too large."""
        ...

    @route("GET", "/v1/files", aliases=("/v1/openai/v1/files",), returns=FileList, raises=(Unavailable,))
    async def list_files(self, request: ListFilesRequest) -> FileList | Reply:
        """The caller's files, the newest first. 400 for a cursor that is no file's id."""
        ...

    @route("GET", "/v1/files/{file_id}", aliases=("/v1/openai/v1/files/{file_id}",), raises=(Unavailable,))
    async def get_file(self, request: FileRequest) -> File:
        """What is known about a file. 404 for an unknown one."""
        ...

    @route(
        "GET",
        "/v1/files/{file_id}/content",
        aliases=("/v1/openai/v1/files/{file_id}/content",),
        raises=(RangeNotSatisfiable, Unavailable),
    )
    async def read_file(self, request: FileRequest) -> Download:
        """A file's bytes, or one range of them. 404 for an unknown file, 416 for a range beyond its end.

        A `range` that is invalid, or counts anything but bytes, is a 400 that names it; several ranges at once get the
        whole file.
        """
        ...

    @route("DELETE", "/v1/files/{file_id}", aliases=("/v1/openai/v1/files/{file_id}",), raises=(Unavailable,))
    async def delete_file(self, request: FileRequest) -> FileDeleted:
        """Remove a file and its bytes, not what vector stores have of it. 404 for an unknown one."""
        ...

    @route("POST", "/v1/uploads", aliases=("/v1/openai/v1/uploads",), raises=(Unavailable,))
    async def create_upload(self, request: CreateUploadRequest) -> FileUpload:
        """Begin a file that comes in parts, within an hour. 413 for one that would be too large."""
        ...

    @route(
        "POST",
        "/v1/uploads/{upload_id}/parts",
        aliases=("/v1/openai/v1/uploads/{upload_id}/parts",),
        body="form",
        limit_bytes=MAX_PART_BYTES + _FORM_BYTES,
        raises=(Conflict, Unavailable),
    )
    async def add_upload_part(self, request: AddUploadPartRequest) -> UploadPart:
        """Add some bytes. 404 for an unknown or expired upload, 409 for one that is completed or cancelled."""
        ...

    @route(
        "POST",
        "/v1/uploads/{upload_id}/complete",
        aliases=("/v1/openai/v1/uploads/{upload_id}/complete",),
        raises=(Conflict, Unavailable),
    )
    async def complete_upload(self, request: CompleteUploadRequest) -> FileUpload:
        """Make the file of its parts. 400 for an unknown part, another size than announced, or another MD5."""
        ...

    @route(
        "POST",
        "/v1/uploads/{upload_id}/cancel",
        aliases=("/v1/openai/v1/uploads/{upload_id}/cancel",),
        raises=(Conflict, Unavailable),
    )
    async def cancel_upload(self, request: UploadRequest) -> FileUpload:
        """Give an upload up, and remove its parts. 409 for one that is completed or cancelled."""
        ...
