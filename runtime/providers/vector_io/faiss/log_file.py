"""A collection on disk: a file that is only added to, and written anew when most of it no longer counts.

    head    `LLVEC1\\0\\0`, dimension (u32), CRC-32 of these (u32)
    record  kind (u8), rows (u32), CRC-32 of the body (u32), CRC-32 of these (u32), body
    body    PUT: numbers (i64 each), vectors (float32); REMOVE: groups (i64 each). All little-endian.

A record counts once it is whole: one that a kill or a full disk left at the end is cut off when the file is opened.
What is wrong and no such thing is damage: the file is refused, and left as it is. Knows no index.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

PUT, REMOVE = 1, 2
PART = ".part"
"""What the name of a file ends with until it is complete."""
_MAGIC = b"LLVEC1\0\0"
_HEAD = struct.Struct("<8sI")
_RECORD = struct.Struct("<BII")
_CHECK = struct.Struct("<I")
_HEAD_BYTES, _RECORD_BYTES = _HEAD.size + _CHECK.size, _RECORD.size + _CHECK.size
_AT_ONCE = 1024**2
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
            head = file.read(_HEAD_BYTES)
        if not head.startswith(_MAGIC) or not _is_sealed(head, _HEAD_BYTES):
            raise BrokenFile(f"{path} is not a collection of ours")
        self.dimension: int = _HEAD.unpack_from(head)[1]
        self.size_bytes = _HEAD_BYTES
        self._file: int | None = None
        self._compacted_from = 0

    @classmethod
    def make(cls, path: Path, dimension: int) -> LogFile:
        """A new file, which is there when it is whole."""
        file, _ = _write(path, dimension, ())
        os.close(file)
        _sync_folder(path.parent)
        return cls(path)

    def records(self) -> Iterator[Record]:
        """Every whole record. What follows the last is cut off, and records can be added from then on."""
        with self._path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(self.size_bytes)
            while len(head := file.read(_RECORD_BYTES)) == _RECORD_BYTES:
                if not _is_sealed(head, _RECORD_BYTES):
                    if any(head) or any(any(part) for part in iter(lambda: file.read(_AT_ONCE), b"")):
                        raise self._damaged()
                    break  # room that was never written to, as a power failure may leave it
                kind, rows, checksum = _RECORD.unpack_from(head)
                length = rows * self._row_bytes(kind)
                stop = self.size_bytes + _RECORD_BYTES + length
                if stop > end:
                    break
                body = file.read(length)
                if zlib.crc32(body) != checksum:
                    if stop < end:
                        raise self._damaged()
                    break
                self.size_bytes = stop
                yield kind, rows, memoryview(body)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        if self.size_bytes < end:
            os.ftruncate(self._file, self.size_bytes)

    def add(self, kind: int, rows: int, *body: bytes) -> None:
        """Returns once it is on disk. A record that does not fit on it leaves nothing."""
        assert self._file is not None
        record = _record(kind, rows, b"".join(body))
        if os.fstat(self._file).st_size > self.size_bytes:  # where cutting off has failed, too
            os.ftruncate(self._file, self.size_bytes)
        try:
            _write_all(self._file, record)
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self.size_bytes)
            raise
        self.size_bytes += len(record)

    def has_waste(self, rows: int) -> bool:
        """Whether most of the file no longer counts. rows: those that do."""
        return self.size_bytes > max(2 * rows * self._row_bytes(PUT), self._compacted_from) + _SPARE_BYTES

    def write_anew(self, rows: Iterable[tuple[int, bytes, bytes]]) -> None:
        """Keep only these: how many, their numbers and their vectors, in pieces. Where that fails, the file stays as it
        is, and has no waste until it has grown again.
        """
        assert self._file is not None
        self._compacted_from = self.size_bytes
        file, size = _write(self._path, self.dimension, rows)
        os.close(self._file)
        self._file, self.size_bytes, self._compacted_from = file, size, 0
        _sync_folder(self._path.parent)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def remove(self) -> None:
        self.close()
        self._path.unlink()
        _sync_folder(self._path.parent)

    def _damaged(self) -> BrokenFile:
        return BrokenFile(f"{self._path} is damaged at byte {self.size_bytes}")

    def _row_bytes(self, kind: int) -> int:
        return _INTEGER_BYTES + (self.dimension * _FLOAT_BYTES if kind == PUT else 0)


def _write(path: Path, dimension: int, rows: Iterable[tuple[int, bytes, bytes]]) -> tuple[int, int]:
    """A file with these in it, in place of one that is there; where that fails, nothing is left. Returns it, open to be
    added to, and its size in bytes.
    """
    part = path.with_suffix(PART)
    file = os.open(part, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        _write_all(file, _sealed(_HEAD.pack(_MAGIC, dimension)))
        for count, numbers, vectors in rows:
            _write_all(file, _record(PUT, count, numbers + vectors))
        os.fsync(file)
        size = os.fstat(file).st_size
        part.replace(path)
    except BaseException:
        os.close(file)
        part.unlink(missing_ok=True)
        raise
    return file, size


def _record(kind: int, rows: int, body: bytes) -> bytes:
    return _sealed(_RECORD.pack(kind, rows, zlib.crc32(body))) + body


def _sealed(content: bytes) -> bytes:
    return content + _CHECK.pack(zlib.crc32(content))


def _is_sealed(content: bytes, size: int) -> bool:
    return len(content) == size and _sealed(content[: -_CHECK.size]) == content


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
