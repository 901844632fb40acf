"""How much of a disk files take, as `du` counts it: blocks, each file once however many names it has.

An environment has tens of thousands of files, so that what was counted last is noted in its distribution's folder, for
listings.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from runtime.config.home import atomic_write

NOTE = ".size"
_BLOCK = 512


_Inode = tuple[int, int]


@dataclass
class Measured:
    """What files take, size_bytes together: places that do not lie in one another. What they share is counted once.

    Only of what has several names more is kept: by device and inode, its bytes and how many names it has; and how many
    of them were met.
    """

    size_bytes: int = 0
    _linked: dict[_Inode, tuple[int, int]] = field(default_factory=dict)
    _met: dict[_Inode, int] = field(default_factory=dict)

    @property
    def shared_bytes(self) -> int:
        """Of files that have a name elsewhere too, mostly in uv's cache: to remove them here frees nothing."""
        return sum(size_bytes for inode, (size_bytes, names) in self._linked.items() if self._met[inode] < names)

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

    def include(self, other: Measured) -> int:
        """Count what was counted there, without reading it again. Returns the bytes that are new."""
        before = self.size_bytes
        self.size_bytes += other.size_bytes
        for inode, met in other._met.items():
            if inode in self._met:
                self.size_bytes -= other._linked[inode][0]
            else:
                self._linked[inode] = other._linked[inode]
            self._met[inode] = self._met.get(inode, 0) + met
        return self.size_bytes - before

    def _walk(self, top: str) -> None:
        """All that lies below a folder. Each is held open, so that its files are looked up there and not from `/`."""
        folders = [top]
        while folders:
            folder = folders.pop()
            with suppress(OSError), _opened(folder) as descriptor, os.scandir(descriptor) as entries:
                for entry in entries:
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    is_folder = stat.S_ISDIR(found.st_mode)
                    self._note(found, is_folder=is_folder)
                    if is_folder:
                        folders.append(f"{folder}/{entry.name}")

    def _note(self, found: os.stat_result, *, is_folder: bool) -> None:
        size_bytes = on_disk(found)
        if not is_folder and found.st_nlink > 1:  # those of a folder are its own and its children's
            inode = (found.st_dev, found.st_ino)
            met = self._met[inode] = self._met.get(inode, 0) + 1
            if met > 1:
                return
            self._linked[inode] = (size_bytes, found.st_nlink)
        self.size_bytes += size_bytes


@contextmanager
def _opened(folder: str) -> Iterator[int]:
    """The descriptor of a folder. Raises OSError where there is none, or a link by now."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


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
