"""Writes a file so that it and its name are on disk in the end, and does so past the system's cache.

What goes through the cache is copied once more, and where memory is short it makes the system look for some, at up to
ten times the cost of all else. So whole blocks are written with O_DIRECT, from memory that is aligned as it wants
(open(2)), where the file system knows it. All but `take` blocks: call it in a thread.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import sys
from pathlib import Path

_DIRECT = getattr(os, "O_DIRECT", 0)
_PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
_BLOCK_BYTES = 4096
_BUFFER_BYTES = 4 * 1024**2
"""So many bytes are collected before a thread writes them: waking it costs more than writing less."""
_MADV_COLLAPSE = 25  # of <linux/mman.h>, since Linux 6.1
_MAX_SPARE = 4
_spare: list[mmap.mmap] = []  # new memory would cost as much as what is copied into it


class DurableFile:
    """A new file; made, readable for its owner only, by the first `write`, which may raise OSError, as `finish` may.

    rest = file.take(chunk)  ->  while rest: file.write(), rest = file.take(rest)  ->  file.finish()  ->  file.close()
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1
        self._is_direct = False
        self._buffer = _spare.pop() if _spare else mmap.mmap(-1, _BUFFER_BYTES, flags=_PRIVATE)
        self._has_large_pages = False
        self._filled = 0

    def take(self, data: memoryview) -> memoryview:
        """Copy as much as there is room for; `write` makes room for the rest, which is returned. Cheap while the bytes
        are in the processor's cache, so it is done where they arrive.
        """
        taken = min(len(data), _BUFFER_BYTES - self._filled)
        self._buffer[self._filled : self._filled + taken] = data[:taken]
        self._filled += taken
        return data[taken:]

    def write(self) -> None:
        """Write what was taken; a part of a block waits for the rest of it."""
        if self._handle < 0:
            self._handle, self._is_direct = _created(self._path)
        if self._filled == _BUFFER_BYTES and self._is_direct and not self._has_large_pages:
            self._use_large_pages()
        self._write_out(self._filled // _BLOCK_BYTES * _BLOCK_BYTES)

    def finish(self) -> None:
        """Write what was taken, and return when everything is on disk."""
        self.write()
        if self._filled:
            self._use_the_cache()
            self._write_out(self._filled)
        os.fsync(self._handle)
        sync_folder(self._path.parent)

    def close(self) -> None:
        """Once, also after a failure."""
        if self._handle >= 0:
            os.close(self._handle)
        if len(_spare) < _MAX_SPARE:
            _spare.append(self._buffer)

    def _write_out(self, size: int) -> None:
        """Write the first bytes of the buffer; what follows them becomes its beginning."""
        with memoryview(self._buffer) as whole:
            done = 0
            while done < size:
                with whole[done:size] as rest:
                    done += self._written(rest)
            self._filled -= size
            whole[: self._filled] = whole[size : size + self._filled]

    def _written(self, data: memoryview) -> int:
        try:
            return os.write(self._handle, data)
        except OSError as error:
            if error.errno != errno.EINVAL or not self._is_direct:
                raise
        self._use_the_cache()  # the file system wants larger blocks, or something else that it does not say
        return os.write(self._handle, data)

    def _use_large_pages(self) -> None:
        """The kernel looks up each page of what is written past the cache, which costs as much as to write it. A large
        page is there as a whole, so it is made when the buffer is full, and a file of one byte takes none.
        """
        self._has_large_pages = True
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # then they stay small
                self._buffer.madvise(_MADV_COLLAPSE)

    def _use_the_cache(self) -> None:
        if self._is_direct:
            fcntl.fcntl(self._handle, fcntl.F_SETFL, fcntl.fcntl(self._handle, fcntl.F_GETFL) & ~_DIRECT)
            self._is_direct = False


def make_folder(folder: Path) -> None:
    """Make a folder with those above it, for its owner only, and their names permanent. Raises OSError."""
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for one in made:
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder permanent. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _created(path: Path) -> tuple[int, bool]:
    """The new file's handle, and whether it is written past the cache."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        return os.open(path, flags | _DIRECT, 0o600), bool(_DIRECT)
    except FileNotFoundError:
        make_folder(path.parent)
        return _created(path)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    path.unlink(missing_ok=True)  # some file systems refuse after they have made it
    return os.open(path, flags, 0o600), False
