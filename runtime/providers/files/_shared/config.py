"""The settings that every provider of files has."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from runtime.apis.files.limits import MAX_FILE_BYTES
from runtime.storage.placement import SqlReference


class FilesConfig(BaseModel):
    """Where it is kept what files there are, and how large and how old they may be."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    metadata_store: SqlReference | None = Field(
        None, description="The tables of what is known about files. The default is the store `files`."
    )
    ttl_secs: int | None = Field(
        None,
        ge=1,
        description="How long a file is kept unless its sender says, in seconds. By default until it is deleted, and "
        "one for `batch` for 30 days.",
    )
    max_file_bytes: int = Field(
        512 * 1024**2,
        ge=1,
        le=MAX_FILE_BYTES,
        description="The largest file that may be sent as a whole, in bytes; at most 8 GiB. The default is 512 MiB.",
    )
    max_upload_bytes: int = Field(
        MAX_FILE_BYTES,
        ge=1,
        le=MAX_FILE_BYTES,
        description="The largest file that may be sent in parts, in bytes. The default is 8 GiB.",
    )
