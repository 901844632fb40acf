"""Files as OpenAI's clients send and read them: https://platform.openai.com/docs/api-reference/files/object."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis._carriers import Upload
from runtime.apis._names import ResourceId
from runtime.apis._paging import Page, PageRequest
from runtime.apis._request import Deleted, Request, Response

Purpose = Literal[
    "assistants",
    "assistants_output",
    "batch",
    "batch_output",
    "fine-tune",
    "fine-tune-results",
    "vision",
    "user_data",
    "evals",
]


class ExpiresAfter(Request):
    """When a file expires. It is not served after that, and its bytes are removed."""

    anchor: Literal["created_at"] = Field(description="From when: always `created_at`.")
    seconds: int = Field(
        ge=3600, le=2592000, description="For how long, in seconds: from 3600, an hour, to 2592000, 30 days."
    )


class UploadFileRequest(Request):
    """A file to keep."""

    file: Upload = Field(description="The file. Its name is kept, and never used as a path.")
    purpose: Purpose = Field(
        description="What for: `assistants`, `batch`, `fine-tune`, `vision`, `user_data` (anything) or `evals`. What "
        "servers make files for is accepted too, such as `batch_output`."
    )
    expires_after: ExpiresAfter | None = Field(
        None,
        description="When it expires. By default it is kept until it is deleted, and one for `batch` for 30 days; the "
        "provider's `ttl_secs` may say otherwise.",
    )


class ListFilesRequest(PageRequest):
    """Which files."""

    limit: int = Field(10_000, ge=1, le=10_000, description="The most items of a page. The default is 10000.")
    purpose: Purpose | None = Field(None, description="Only files for this purpose. By default all.")


class FileRequest(Request):
    """Which file."""

    file_id: ResourceId = Field(min_length=1, description="The file's id.")


class File(Response):
    """A file that is kept."""

    id: str = Field(description="By which it is read.")
    object: Literal["file"] = "file"
    bytes: int = Field(description="Its size, in bytes.")
    created_at: int = Field(description="When it was uploaded, in seconds since 1970.")
    expires_at: int | None = Field(None, description="When it expires, in seconds since 1970; null for never.")
    filename: str = Field(description="Its name, as its sender gave it.")
    purpose: Purpose = Field(description="What for.")
    status: Literal["uploaded", "processed", "error"] = Field(
        "processed", description="Always `processed`: it can be used as soon as it is there. Deprecated by OpenAI."
    )
    status_details: str | None = Field(None, description="Always null. Deprecated by OpenAI.")


class FileList(Page):
    """One page of the files that the caller may see."""

    data: list[File] = Field(description="The files, in the order that was asked for.")


class FileDeleted(Deleted):
    """A file that is no more."""

    object: Literal["file"] = "file"
