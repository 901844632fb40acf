"""Uploads in parts, for large files: https://platform.openai.com/docs/api-reference/uploads/object."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis._carriers import Upload
from runtime.apis._names import NamedResource, ResourceId
from runtime.apis._request import Request, Response, example
from runtime.apis.files.file import ExpiresAfter, File, Purpose
from runtime.apis.files.limits import MAX_FILE_BYTES

MAX_PART_BYTES = 64 * 1024**2
"""The most of one part."""
MAX_PARTS = 10_000
"""The most parts of one upload."""


class CreateUploadRequest(Request):
    """A file that will come in parts."""

    model_config = example(filename="training.jsonl", purpose="fine-tune", bytes=2147483648, mime_type="text/jsonl")

    filename: str = Field(max_length=4096, description="The file's name.")
    purpose: Purpose = Field(description="What for, as of a file that comes whole.")
    bytes: int = Field(ge=0, le=MAX_FILE_BYTES, description="Its size, in bytes; at most 8 GiB.")
    mime_type: str = Field(max_length=256, description="Its content type, as the sender says.")
    expires_after: ExpiresAfter | None = Field(
        None, description="When the file expires, counted from when it is complete. The default is that of other files."
    )


class UploadRequest(Request):
    """Which upload."""

    upload_id: ResourceId = Field(min_length=1, description="The upload's id.")


class AddUploadPartRequest(UploadRequest):
    """Some bytes of the file. Parts may be sent at the same time and in any order."""

    data: Upload = Field(description="The bytes, at most 64 MiB.")


class CompleteUploadRequest(UploadRequest):
    """What the file is made of."""

    model_config = example(part_ids=["part_abc", "part_def"])

    part_ids: list[NamedResource] = Field(
        max_length=MAX_PARTS, description="The ids of the parts, in the file's order."
    )
    md5: str | None = Field(
        None, pattern="^[0-9a-fA-F]{32}$", description="The MD5 of the whole file in hex digits. By default unchecked."
    )


class FileUpload(Response):
    """An upload in parts."""

    id: str = Field(description="By which parts are added.")
    object: Literal["upload"] = "upload"
    bytes: int = Field(description="The size that the file is to have, in bytes.")
    created_at: int = Field(description="When it was begun, in seconds since 1970.")
    expires_at: int = Field(description="When it expires unless it is complete, in seconds since 1970: after an hour.")
    filename: str = Field(description="The file's name.")
    purpose: Purpose = Field(description="What the file is for.")
    status: Literal["pending", "completed", "cancelled", "expired"] = Field(description="How far it is.")
    file: File | None = Field(None, description="The file, once the upload is completed; null until then.")


class UploadPart(Response):
    """Some bytes of an upload."""

    id: str = Field(description="By which the upload is completed.")
    object: Literal["upload.part"] = "upload.part"
    created_at: int = Field(description="When it was added, in seconds since 1970.")
    upload_id: str = Field(description="The upload.")
