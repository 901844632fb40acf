"""The output and error files of a batch, through the API of files, for the batch's owner."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Literal

from runtime.apis._carriers import Upload
from runtime.apis.files.file import ExpiresAfter, FileList, ListFilesRequest, UploadFileRequest
from runtime.apis.files.protocol import Files
from runtime.apis.files.upload import AddUploadPartRequest, CompleteUploadRequest, CreateUploadRequest
from runtime.errors import TooLarge
from runtime.providers.batches._shared.kept_lines import KeptLines
from runtime.sse import Reply

_WHOLE_BYTES = 64 * 1024**2
"""A larger file is sent in parts at once; a smaller one where the provider of files does not take it as a whole."""
_KIND = "application/jsonl"
_PURPOSE: Literal["batch_output"] = "batch_output"
_NEWEST = 1000


async def write_file(
    files: Files, name: str, lines: KeptLines, *, are_errors: bool, expires_after: ExpiresAfter | None, since: int
) -> str | None:
    """The id of a file with the kept lines of one kind, in order; None where there are none. since: when writing them
    was begun, in seconds since 1970: what a process that has died had written by then is taken, and not written again.
    Raises what the files' provider raises.
    """
    count, size_bytes = await lines.sizes(are_errors=are_errors)
    if not count:
        return None
    if (written := await _written(files, name, size_bytes, since)) is not None:
        return written
    if size_bytes <= _WHOLE_BYTES:
        upload = Upload(lines.content(are_errors=are_errors), filename=name, content_type=_KIND, size_bytes=size_bytes)
        with contextlib.suppress(TooLarge):
            asked = UploadFileRequest(file=upload, purpose=_PURPOSE, expires_after=expires_after)
            return (await files.upload_file(asked)).id
    asked_in_parts = CreateUploadRequest(
        filename=name, purpose=_PURPOSE, bytes=size_bytes, mime_type=_KIND, expires_after=expires_after
    )
    upload_id, parts = (await files.create_upload(asked_in_parts)).id, []
    async for data in lines.content(are_errors=are_errors):
        part = Upload(_once(data), size_bytes=len(data))
        parts.append((await files.add_upload_part(AddUploadPartRequest(upload_id=upload_id, data=part))).id)
    whole = await files.complete_upload(CompleteUploadRequest(upload_id=upload_id, part_ids=parts))
    assert whole.file is not None, "it is complete"
    return whole.file.id


async def _written(files: Files, name: str, size_bytes: int, since: int) -> str | None:
    """The id of such a file that is there already, among the newest."""
    listed = await files.list_files(ListFilesRequest(purpose=_PURPOSE, order="desc", limit=_NEWEST))
    page = FileList.model_validate_json(listed.data) if isinstance(listed, Reply) else listed
    for file in page.data:
        if file.filename == name and file.bytes == size_bytes and file.created_at >= since:
            return file.id
    return None


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
