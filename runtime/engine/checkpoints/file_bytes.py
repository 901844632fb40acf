"""The bytes of a file, read when they are wanted. Of a mapped file, those that somebody has cut off would end the
process (SIGBUS); here they are an error. Knows no formats.
"""

from __future__ import annotations

import os
import weakref
from io import FileIO
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from runtime.engine.checkpoints.model_config import CheckpointInvalid


class FileBytes:
    """An open file, as it was when it was opened; one that takes its name later is another one. file: is closed with
    this object.
    """

    def __init__(self, path: Path, file: FileIO) -> None:
        self._path, self._file = path, file
        self._first_state = self._state()
        self._lock = Lock()
        # Not `__del__`: where an error's traceback keeps both, the file may go first, and complain that it is open.
        weakref.finalize(self, file.close)

    def read(self, start: int, count: int) -> NDArray[np.uint8]:
        """The bytes from `start` on: [count], uint8, which are the caller's.

        Raises CheckpointInvalid where the file has been changed since it was opened, or cannot be read.
        """
        found = np.empty(count, np.uint8)
        rest = found.data
        try:
            with self._lock:
                self._file.seek(start)
                while rest and (got := self._file.readinto(rest)):
                    rest = rest[got:]
            if rest or self._state() != self._first_state:
                raise CheckpointInvalid(f"`{self._path}` was changed while it was read.", hint="load the model again")
        except OSError as error:
            raise CheckpointInvalid(f"`{self._path}` cannot be read: {error.strerror or error}.") from error
        return found

    def _state(self) -> tuple[int, int]:
        facts = os.fstat(self._file.fileno())
        return facts.st_size, facts.st_mtime_ns
