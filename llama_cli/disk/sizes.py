"""How much of a disk files take, as `du` counts it: blocks, each file once however many names it has.

An environment has tens of thousands of files, so that what was counted last is noted in its distribution's folder, for
listings.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from runtime.config.home import atomic_write

NOTE = ".size"
_BLOCK = 512


@dataclass
class _File:
    size_bytes: int
    links: int
    seen: int = 0


@dataclass
class Measured:
    """Files that were counted. Give several places to one, and what they share is counted once."""

    _files: dict[tuple[int, int], _File] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self._files.values())

    @property
    def shared_bytes(self) -> int:
        """Of files that have a name elsewhere too, mostly in uv's cache: to remove them here frees nothing."""
        return sum(file.size_bytes for file in self._files.values() if file.seen < file.links)

    def add(self, place: Path) -> int:
        """Count a file, or a folder with everything below it; links are not followed. Returns the bytes that are new.
        What is gone meanwhile, or closed to us, counts for nothing.
        """
        before = self.size_bytes
        with suppress(OSError):
            found = place.lstat()
            is_folder = stat.S_ISDIR(found.st_mode)
            self._note(found, is_folder=is_folder)
            if is_folder:
                self._walk(str(place))
        return self.size_bytes - before

    def _walk(self, folder: str) -> None:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                with suppress(OSError):
                    self._note(entry.stat(follow_symlinks=False), is_folder=is_folder)
                if is_folder:
                    self._walk(entry.path)

    def _note(self, found: os.stat_result, *, is_folder: bool) -> None:
        key = (found.st_dev, found.st_ino)
        file = self._files.get(key)
        if file is None:
            links = 1 if is_folder else found.st_nlink  # those of a folder are its own and its children's
            file = self._files[key] = _File(on_disk(found), links)
        file.seen += 1


def on_disk(found: os.stat_result) -> int:
    """The bytes that a file takes; less than its length where it has holes."""
    return found.st_blocks * _BLOCK


def size_of(places: Iterable[Path]) -> int:
    """Bytes of several places together."""
    measured = Measured()
    for place in places:
        measured.add(place)
    return measured.size_bytes


def note(folder: Path, size_bytes: int) -> None:
    """Note the size of a distribution's environment. Not being able to is no failure."""
    with suppress(OSError):
        atomic_write(folder / NOTE, json.dumps({"environment_bytes": size_bytes}))


def noted(folder: Path) -> int | None:
    """What was noted last; None where nothing was."""
    try:
        stated = json.loads((folder / NOTE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    size_bytes = stated.get("environment_bytes") if isinstance(stated, dict) else None
    return size_bytes if isinstance(size_bytes, int) else None
