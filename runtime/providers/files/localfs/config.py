"""Settings of files in a folder."""

from __future__ import annotations

from pydantic import Field

from runtime.providers.files._shared.config import FilesConfig


class LocalFilesConfig(FilesConfig):
    """A folder, and the settings of all providers of files."""

    storage_dir: str | None = Field(
        None,
        description="The folder of the files' bytes; relative to the provider's own folder in the server's state, which"
        " is also the default.",
    )
