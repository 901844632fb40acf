"""The output and error files of a batch, through the API of files, for the batch's owner."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runtime.apis._carriers import Upload
from runtime.apis.files.file import ExpiresAfter, UploadFileRequest
from runtime.apis.files.protocol import Files
from runtime.apis.files.upload import AddUploadPartRequest, CompleteUploadRequest, CreateUploadRequest
from runtime.providers.batches.builtin.kept_lines import KeptLines

_WHOLE_BYTES = 64 * 1024**2
"""A larger file comes in parts, since a provider of files may take no larger ones as a whole."""
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
    content = lines.content(are_errors=are_errors)
    if size_bytes <= _WHOLE_BYTES:
        upload = Upload(content, filename=name, content_type=_KIND, size_bytes=size_bytes)
        asked = UploadFileRequest(file=upload, purpose="batch_output", expires_after=expires_after)
        return (await files.upload_file(asked)).id
    begun = await files.create_upload(
        CreateUploadRequest(
            filename=name, purpose="batch_output", bytes=size_bytes, mime_type=_KIND, expires_after=expires_after
        )
    )
    parts = []
    async for data in content:
        part = Upload(_once(data), size_bytes=len(data))
        parts.append((await files.add_upload_part(AddUploadPartRequest(upload_id=begun.id, data=part))).id)
    whole = await files.complete_upload(CompleteUploadRequest(upload_id=begun.id, part_ids=parts))
    assert whole.file is not None, "it is complete"
    return whole.file.id


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
