"""The questions that were typed before, the newest last: one JSON text a line, in a private file that stays small."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from llama_cli.disk.lock import locked
from runtime.config.home import atomic_write, private_folder

_MOST, _MOST_CHARACTERS = 1000, 20_000
"""How many are kept, and how long one may be that is."""


class History:
    """What cannot be read or written is as if it were not there: a conversation does not depend on it.

    path: None where there is no place for it.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def entries(self) -> list[str]:
        """The oldest first."""
        found = self._read()
        if self._path is not None and len(found) > 2 * _MOST:  # rarely, since it writes all of them
            with suppress(OSError), locked(self._path.parent):
                found = self._read()  # with what was added while somebody else had the lock
                atomic_write(self._path, "".join(_line(entry) for entry in found[-_MOST:]))
        return found[-_MOST:]

    def _read(self) -> list[str]:
        if self._path is None:
            return []
        found = []
        with suppress(OSError):
            for line in self._path.read_bytes().splitlines():
                with suppress(ValueError):
                    entry = json.loads(line)
                    if isinstance(entry, str):
                        found.append(entry)
        return found

    def add(self, entry: str) -> None:
        """Two conversations at once both add theirs, also while one of them makes the file small again."""
        if self._path is None or len(entry) > _MOST_CHARACTERS:
            return
        with suppress(OSError):
            private_folder(self._path.parent)
            with locked(self._path.parent):
                handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                with os.fdopen(handle, "wb") as file:
                    file.write(_line(entry).encode())


def _line(entry: str) -> str:
    return json.dumps(entry) + "\n"
