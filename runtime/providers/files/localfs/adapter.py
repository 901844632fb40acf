"""Files in a folder of this machine."""

from __future__ import annotations

from pathlib import Path

from runtime.provider import ProviderContext
from runtime.providers.files._shared.folder import Folder
from runtime.providers.files._shared.service import FileService
from runtime.providers.files.localfs.config import LocalFilesConfig


def local_files(config: LocalFilesConfig, context: ProviderContext) -> FileService:
    """The files of a provider. Raises Unavailable if its state folder cannot be written."""
    place = Path(config.storage_dir or "content").expanduser()
    return FileService(config, context, Folder(context.state_dir / place, name=context.provider_id))
