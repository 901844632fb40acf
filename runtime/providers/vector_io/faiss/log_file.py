"""A collection on disk: a file that is only added to, and written anew when most of it no longer counts.

    head    `LLVEC1\\0\\0`, dimension (u32)
    record  kind (u8), rows (u32), CRC-32 of the body (u32), body
    body    PUT: numbers (i64 each), vectors (float32); REMOVE: groups (i64 each). All little-endian.

A record counts once it is whole: one that a kill or a full disk left at the end is cut off when the file is opened. One
that is wrong with others after it is no such thing, and the file is refused. Knows no index.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

PUT, REMOVE = 1, 2
_MAGIC = b"LLVEC1\0\0"
_HEAD = struct.Struct("<8sI")
_RECORD = struct.Struct("<BII")
_INTEGER_BYTES, _FLOAT_BYTES = 8, 4
_SPARE_BYTES = 16 * 1024**2

Record = tuple[int, int, memoryview]
"""Kind, rows, body."""


class BrokenFile(Exception):
    """A file that is not one of these."""


class LogFile:
    """One file. Raises OSError, BrokenFile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            head = file.read(_HEAD.size)
        if len(head) < _HEAD.size or not head.startswith(_MAGIC):
            raise BrokenFile(f"{path} is not a collection of ours")
        self.dimension: int = _HEAD.unpack(head)[1]
        self.size_bytes = _HEAD.size
        self._file: int | None = None

    @classmethod
    def make(cls, path: Path, dimension: int) -> LogFile:
        """A new file, which is there when it is whole."""
        _write(path, dimension, ())
        return cls(path)

    def records(self) -> Iterator[Record]:
        """Every whole record. What follows the last is cut off, and records can be added from then on."""
        with self._path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(self.size_bytes)
            while len(head := file.read(_RECORD.size)) == _RECORD.size:
                kind, rows, checksum = _RECORD.unpack(head)
                length = rows * self._row_bytes(kind)
                stop = self.size_bytes + _RECORD.size + length
                body = file.read(length) if kind and stop <= end else b""  # no kind: written by nobody, only room
                if len(body) != length or not kind or zlib.crc32(body) != checksum:
                    if kind and stop < end:
                        raise BrokenFile(f"{self._path} is damaged at byte {self.size_bytes}")
                    break
                self.size_bytes = stop
                yield kind, rows, memoryview(body)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        if self.size_bytes < end:
            os.ftruncate(self._file, self.size_bytes)

    def add(self, kind: int, rows: int, *body: bytes) -> None:
        """Returns once it is on disk. A record that does not fit on it leaves nothing."""
        assert self._file is not None
        content = b"".join(body)
        record = _RECORD.pack(kind, rows, zlib.crc32(content)) + content
        try:
            _write_all(self._file, record)
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self.size_bytes)
            raise
        self.size_bytes += len(record)

    def has_waste(self, rows: int) -> bool:
        """Whether most of the file no longer counts. rows: those that do."""
        return self.size_bytes > 2 * rows * self._row_bytes(PUT) + _SPARE_BYTES

    def write_anew(self, rows: Iterable[tuple[int, bytes, bytes]]) -> None:
        """Keep only these: how many, their numbers and their vectors, in pieces."""
        assert self._file is not None
        size = _write(self._path, self.dimension, rows)
        os.close(self._file)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self.size_bytes = size

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def remove(self) -> None:
        self.close()
        self._path.unlink()
        _sync_folder(self._path.parent)

    def _row_bytes(self, kind: int) -> int:
        return _INTEGER_BYTES + (self.dimension * _FLOAT_BYTES if kind == PUT else 0)


def _write(path: Path, dimension: int, rows: Iterable[tuple[int, bytes, bytes]]) -> int:
    """A file with these in it, in place of one that is there. Returns its size in bytes."""
    part = path.with_suffix(".part")
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        _write_all(file, _HEAD.pack(_MAGIC, dimension))
        for count, numbers, vectors in rows:
            body = numbers + vectors
            _write_all(file, _RECORD.pack(PUT, count, zlib.crc32(body)) + body)
        os.fsync(file)
        size = os.lseek(file, 0, os.SEEK_CUR)
    finally:
        os.close(file)
    part.replace(path)
    _sync_folder(path.parent)
    return size


def _write_all(file: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
