"""The folder of a container on disk. What is in it was made by code that may be hostile: no link is ever followed, only
regular files are opened, and names are bytes.

    <folder>/data       what the container has as /mnt/data
    <folder>/incoming   files that are still arriving
    <folder>/tree       empty: where `as_nobody.py` puts its tree

All calls block: they belong in a thread.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.ids import new_id
from runtime.providers.containers.bubblewrap.isolation import NOBODY
from runtime.trees import FOLDER, opened, remove_tree

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ROOM = 0.9
"""How much of its bounds a container may still take after what is new was removed, so that there is room for more."""
_MORE_THAN_ANY = 1 << 62
_DEEPEST = 64
"""Folders within folders that are looked into; what is deeper is not listed."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A file. place: its path in the folder. state: changes with its content."""

    place: bytes
    size_bytes: int
    state: str


class Folder:
    """path: of the container's; made by `make`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / "data"
        self.tree = path / "tree"
        self._incoming = path / "incoming"

    def make(self) -> None:
        """Raises OSError."""
        for part in (self.path, self.data, self.tree, self._incoming):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
        own(self.data)

    def exists(self) -> bool:
        return self.data.is_dir()

    def begin(self) -> Arriving:
        """A file that is to come. Raises OSError."""
        return Arriving(self._incoming / new_id("file_"), self.data)

    def open(self, place: bytes) -> int:
        """A file's descriptor. Raises OSError, FileNotFoundError also for what is no regular file."""
        *folders, name = place.split(b"/")
        with _in(self.data, folders) as holder:
            file = os.open(name, _FILE, dir_fd=holder)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise FileNotFoundError
        return file

    def remove(self, place: bytes) -> None:
        """Raises OSError."""
        *folders, name = place.split(b"/")
        with _in(self.data, folders) as holder:
            os.unlink(name, dir_fd=holder)

    def files(self, most: int) -> tuple[list[Found], int]:
        """The regular files in it and in its folders, of at most `most` entries, and how many entries are left of
        these. Raises OSError.
        """
        found: list[Found] = []
        left = [most]
        with _in(self.data, []) as top:
            _collect(top, b"", found, left, _DEEPEST)
        return found, left[0]

    def make_room(self, kept: Collection[bytes], *, disk_bytes: int, max_files: int) -> None:
        """Remove the largest of what is new until the rest is within its bounds. kept: places of what is not new,
        which goes last. Raises OSError.
        """
        before = {place.split(b"/")[0] for place in kept}
        tops = {path: _taken(path) for path in self.data.iterdir()}
        size, count = (sum(one[number] for one in tops.values()) for number in (0, 1))
        for path in sorted(tops, key=lambda path: (os.fsencode(path.name) in before, -tops[path][0], -tops[path][1])):
            part = 1.0 if os.fsencode(path.name) in before else _ROOM
            if size < part * disk_bytes and count <= part * max_files:
                return
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            else:
                path.unlink()
            size, count = size - tops[path][0], count - tops[path][1]

    def destroy(self) -> None:
        """Raises OSError."""
        remove_tree(self.path)


class Arriving:
    """A file that is written beside the container, and then given to it as a whole. Raises OSError."""

    def __init__(self, path: Path, data: Path) -> None:
        self._path = path
        self._data = data
        self._file = path.open("xb")
        self.size_bytes = 0

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self.size_bytes += len(chunk)

    def give(self, name: bytes) -> None:
        """Let the container have it, in place of a file of this name. Raises IsADirectoryError for a folder's name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        own(self._path)
        with _in(self._data, []) as holder:
            os.rename(os.fsencode(self._path), name, dst_dir_fd=holder)
            os.fsync(holder)

    def drop(self) -> None:
        """Where it was not given."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def own(path: Path) -> None:
    """Make it the container's, whose code runs as nobody where the server is root."""
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@contextlib.contextmanager
def _in(path: Path, folders: list[bytes]) -> Iterator[int]:
    """The descriptor of a folder, reached step by step. The first is open even where code has closed it."""
    holder = opened(os.fspath(path), None)
    try:
        for name in folders:
            if name in (b"", b".", b".."):
                raise FileNotFoundError
            inner = os.open(name, FOLDER, dir_fd=holder)
            os.close(holder)
            holder = inner
        yield holder
    finally:
        os.close(holder)


def _collect(holder: int, above: bytes, found: list[Found], left: list[int], depth: int) -> None:
    """left: how many entries are still looked at."""
    with os.scandir(holder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if left[0] == 0:
                return
            left[0] -= 1
            name = os.fsencode(entry.name)
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False) and depth:
                    inner = os.open(name, FOLDER, dir_fd=holder)
                    try:
                        _collect(inner, above + name + b"/", found, left, depth - 1)
                    finally:
                        os.close(inner)
                elif entry.is_file(follow_symlinks=False):
                    about = entry.stat(follow_symlinks=False)
                    state = f"{about.st_ino}-{about.st_mtime_ns}-{about.st_size}"
                    found.append(Found(place=above + name, size_bytes=about.st_size, state=state))


def _taken(path: Path) -> tuple[int, int]:
    """What an entry takes with all that is in it: bytes on disk, and entries. More than any bound of both where a part
    of it cannot be looked into. Raises OSError.
    """
    about = path.lstat()
    size, count = about.st_blocks * 512, 1
    waiting = [os.fspath(path)] if stat.S_ISDIR(about.st_mode) else []
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    count += 1
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except FileNotFoundError:
            continue
        except OSError:  # too deep for a path, or closed
            return _MORE_THAN_ANY, _MORE_THAN_ANY
    return size, count
