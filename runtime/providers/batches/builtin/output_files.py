"""The output and error files of a batch, through the API of files, for the batch's owner."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from runtime.apis._carriers import Upload
from runtime.apis.files.file import ExpiresAfter, UploadFileRequest
from runtime.apis.files.protocol import Files
from runtime.apis.files.upload import AddUploadPartRequest, CompleteUploadRequest, CreateUploadRequest
from runtime.errors import TooLarge
from runtime.providers.batches.builtin.kept_lines import KeptLines

_WHOLE_BYTES = 64 * 1024**2
"""A larger file is sent in parts at once; a smaller one where the provider of files does not take it as a whole."""
_KIND = "application/jsonl"


async def write_file(
    files: Files, name: str, lines: KeptLines, *, are_errors: bool, expires_after: ExpiresAfter | None
) -> str | None:
    """The id of a file with the kept lines of one kind, in order; None where there are none. Raises what the files'
    provider raises.
    """
    count, size_bytes = await lines.sizes(are_errors=are_errors)
    if not count:
        return None
    if size_bytes <= _WHOLE_BYTES:
        upload = Upload(lines.content(are_errors=are_errors), filename=name, content_type=_KIND, size_bytes=size_bytes)
        with contextlib.suppress(TooLarge):
            asked = UploadFileRequest(file=upload, purpose="batch_output", expires_after=expires_after)
            return (await files.upload_file(asked)).id
    asked_in_parts = CreateUploadRequest(
        filename=name, purpose="batch_output", bytes=size_bytes, mime_type=_KIND, expires_after=expires_after
    )
    upload_id, parts = (await files.create_upload(asked_in_parts)).id, []
    async for data in lines.content(are_errors=are_errors):
        part = Upload(_once(data), size_bytes=len(data))
        parts.append((await files.add_upload_part(AddUploadPartRequest(upload_id=upload_id, data=part))).id)
    whole = await files.complete_upload(CompleteUploadRequest(upload_id=upload_id, part_ids=parts))
    assert whole.file is not None, "it is complete"
    return whole.file.id


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
