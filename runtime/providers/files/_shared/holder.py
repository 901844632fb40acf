"""This process, as the one that writes unfinished files: so that the next one knows which were interrupted.

A file in the provider's state folder that is locked as long as the process lives. Processes on other machines cannot be
seen by their locks; what they leave expires by itself.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from runtime.errors import Unavailable
from runtime.ids import new_id
from runtime.storage.state_folder import take_lock


class Holder:
    """folder: of this provider, for all processes that share its state. Raises Unavailable if it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = new_id("holder_")
        self._path = folder / self.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise Unavailable(f"`{self._path}` cannot be written: {error.strerror}") from error
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def ended(self) -> list[str]:
        """The names of processes that have ended and are not forgotten."""
        return [path.name for path in self._folder.iterdir() if path.name != self.name and _is_free(path)]

    def forget(self, name: str) -> None:
        """Nothing is left of a process that has ended, or is about to."""
        (self._folder / name).unlink(missing_ok=True)

    def release(self) -> None:
        """This process has ended, for others."""
        os.close(self._lock)


def _is_free(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return take_lock(handle, wait_s=0.0)
    finally:
        os.close(handle)
