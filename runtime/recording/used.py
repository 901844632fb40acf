"""Which recordings were used: a file in `.used` for each process that used some, with their names, one a line. So that
those that nobody asks for any more can be found. The folder ignores itself in git.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from runtime.trees import remove_tree

FOLDER = ".used"
log = logging.getLogger(__name__)


class UsedLog:
    """Of one process. folder: of the recordings."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._noted: set[Path] = set()
        self._file: IO[str] | None = None
        self._has_failed = False

    def note(self, path: Path) -> None:
        """A recording was used."""
        if path in self._noted:
            return
        self._noted.add(path)
        try:
            if self._file is None:
                self._file = self._opened()
            self._file.write(f"{path.relative_to(self._folder)}\n")
            self._file.flush()
        except OSError as error:  # the recordings may be read-only
            if not self._has_failed:
                log.info("nobody will know which recordings were used", extra={"error": str(error)})
            self._has_failed = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> IO[str]:
        place = self._folder / FOLDER
        place.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), (place / ".gitignore").open("x", encoding="utf-8") as file:
            file.write("*\n")
        return (place / f"{os.getpid()}-{os.urandom(4).hex()}").open("w", encoding="utf-8", errors="surrogateescape")


def used(folder: Path) -> set[Path] | None:
    """Every recording that some process has used; None where nobody has noted any."""
    place = folder / FOLDER
    if not place.is_dir():
        return None
    names: set[str] = set()
    for file in place.iterdir():
        if not file.name.startswith(".") and file.is_file():
            names.update(file.read_text(encoding="utf-8", errors="surrogateescape").splitlines())
    return {folder / name for name in names}


def forget(folder: Path) -> None:
    """Begin anew to note what is used."""
    remove_tree(folder / FOLDER)
