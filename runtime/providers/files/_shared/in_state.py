"""Files in the state folder, whatever else the config says, for replays: what is elsewhere is not recorded, and has the
same ids each time.
"""

from __future__ import annotations

from runtime.provider import ProviderContext
from runtime.providers.files._shared.config import FilesConfig
from runtime.providers.files._shared.folder import Folder
from runtime.providers.files._shared.service import FileService


def files_in_state(config: FilesConfig, context: ProviderContext) -> FileService:
    """The files of a provider. Raises Unavailable if its state folder cannot be written."""
    return FileService(config, context, Folder(context.state_dir / "content", name=context.provider_id))
