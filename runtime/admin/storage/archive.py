"""The file of `storage export`: a tar, perhaps compressed by gzip, that is written and read from its begin to its end.

    stack.json                      what it is: `format`, and `parts`: what each folder holds
    <folder>/bytes/<id>             of a part: the bytes that its rows tell of, outside of databases
    <folder>/000001.jsonl, ...      its rows, a JSON object on each line; bytes in them as base64
    manifest.json                   at the end: rows and SHA-256 of each folder's lines, and of its bytes

Knows files and lines, no databases. Whatever is read is checked: an archive can come from anywhere.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, BinaryIO

from runtime.clock import wall_time
from runtime.errors import RequestError

FORMAT = 1
HEAD, MANIFEST = "stack.json", "manifest.json"
_SEGMENT_BYTES = 4 * 1024**2
_LONGEST_DOCUMENT = 16 * 1024**2
_LONGEST_LINE = 256 * 1024**2
_UNREADABLE = (tarfile.TarError, OSError, EOFError, ValueError, zlib.error)
"""What reading a tar raises that is none, or not whole."""


@dataclass
class Digest:
    """Counts what goes through a part of an archive."""

    rows: int = 0
    files: int = 0
    file_bytes: int = 0
    _lines: Any = field(default_factory=hashlib.sha256, repr=False)
    _bytes: Any = field(default_factory=hashlib.sha256, repr=False)

    def add_line(self, line: bytes) -> None:
        self.rows += 1
        self._lines.update(line)
        self._lines.update(b"\n")

    def add_bytes(self, data: bytes) -> None:
        self.file_bytes += len(data)
        self._bytes.update(data)

    def document(self) -> dict[str, Any]:
        """For the manifest; equal documents mean equal contents."""
        digests = {"rows_sha256": self._lines.hexdigest(), "files_sha256": self._bytes.hexdigest()}
        return {"rows": self.rows, "files": self.files, "file_bytes": self.file_bytes, **digests}


class Writer:
    """Writes an archive. stream: whatever takes bytes. parts: what each folder holds, by its name."""

    def __init__(self, stream: BinaryIO, parts: dict[str, dict[str, Any]], facts: dict[str, Any]) -> None:
        self._tar = tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115  # closed by `close`
        self.digests = {folder: Digest() for folder in parts}
        self._segment: list[bytes] = []
        self._segment_bytes = self._segments = 0
        self._add(HEAD, _encoded({"format": FORMAT, **facts, "parts": parts}))

    def add_row(self, folder: str, line: bytes) -> None:
        """Add a row to a part; all of one part, then `end_part`."""
        self.digests[folder].add_line(line)
        self._segment.append(line)
        self._segment_bytes += len(line)
        if self._segment_bytes >= _SEGMENT_BYTES:
            self._flush(folder)

    def add_file(self, folder: str, name: str, size_bytes: int, content: IO[bytes]) -> None:
        """Add bytes to a part, before its rows. Raises OSError if there are fewer."""
        digest = self.digests[folder]
        digest.files += 1
        self._tar.addfile(_info(f"{folder}/bytes/{name}", size_bytes), _Watched(content, digest))

    def end_part(self, folder: str) -> None:
        """All rows of a part were added."""
        if self._segment:
            self._flush(folder)
        self._segments = 0

    def close(self) -> dict[str, Any]:
        """Write the manifest, and return it."""
        manifest = {folder: digest.document() for folder, digest in self.digests.items()}
        self._add(MANIFEST, _encoded(manifest))
        self._tar.close()
        return manifest

    def _flush(self, folder: str) -> None:
        self._segments += 1
        self._add(f"{folder}/{self._segments:06}.jsonl", b"".join(line + b"\n" for line in self._segment))
        self._segment, self._segment_bytes = [], 0

    def _add(self, name: str, data: bytes) -> None:
        self._tar.addfile(_info(name, len(data)), io.BytesIO(data))


@dataclass(frozen=True)
class Member:
    """A file of an archive, to be read before the next one is asked for. name: what follows its folder.

    Reading it raises RequestError where the archive is not whole.
    """

    folder: str
    name: str
    size_bytes: int
    _stream: IO[bytes] = field(repr=False)

    def read(self, size: int) -> bytes:
        """The next bytes; none at its end."""
        with _whole():
            return self._stream.read(size)

    def lines(self) -> Iterator[bytes]:
        """Its lines, without their ends. Raises RequestError where one is too long, and as `read` does."""
        while True:
            with _whole():
                line = self._stream.readline(_LONGEST_LINE + 1)
            if not line:
                return
            if len(line) > _LONGEST_LINE:
                raise _not_ours(f"a line of `{self.name[:100]}` has more than {_LONGEST_LINE} bytes")
            yield line.rstrip(b"\n")


class Reader:
    """Reads an archive. stream: whatever gives bytes. head: its first document.

    Raises RequestError for what is no archive of ours, or one of a newer version.
    """

    def __init__(self, stream: BinaryIO) -> None:
        try:
            self._tar = tarfile.open(fileobj=stream, mode="r|*")  # noqa: SIM115  # it ends with the process
            first = self._tar.next()
        except _UNREADABLE as error:
            raise _not_ours(str(error)) from error
        if first is None or first.name != HEAD:
            raise _not_ours("it begins with something else")
        self.head = self._document(first)
        if self.head.get("format") != FORMAT:
            raise _not_ours(f"its format is {self.head.get('format')}, the one known here {FORMAT}")
        parts = self.head.get("parts")
        if not isinstance(parts, dict) or not all(isinstance(part, dict) for part in parts.values()):
            raise _not_ours(f"`{HEAD}` does not say what its folders hold")
        self.manifest: dict[str, Any] | None = None

    def members(self) -> Iterator[Member]:
        """Every file but the first, in order. Afterwards `manifest` is there. Raises RequestError if it is not
        whole.
        """
        while True:
            with _whole():
                found = self._tar.next()
            if found is None:
                raise _not_ours("it is not whole: its end is missing")
            if found.name == MANIFEST:
                self.manifest = self._document(found)
                return
            folder, _, name = found.name.partition("/")
            stream = self._tar.extractfile(found) if found.isreg() and not found.issparse() else None
            if stream is None or folder not in self.head["parts"]:
                raise _not_ours(f"it has `{found.name[:100]}` in it")
            yield Member(folder, name, found.size, stream)

    def _document(self, info: tarfile.TarInfo) -> dict[str, Any]:
        try:
            is_document = info.size <= _LONGEST_DOCUMENT and not info.issparse()
            stream = self._tar.extractfile(info) if is_document else None
            document = json.loads(stream.read() if stream else b"")
        except (*_UNREADABLE, RecursionError) as error:
            raise _not_ours(f"`{info.name}` cannot be read") from error
        if not isinstance(document, dict):
            raise _not_ours(f"`{info.name}` is no JSON object")
        return document


class _Watched(io.RawIOBase):
    """What is read of it is counted."""

    def __init__(self, content: IO[bytes], digest: Digest) -> None:
        self._content = content
        self._digest = digest

    def read(self, size: int = -1) -> bytes:
        data = self._content.read(size)
        self._digest.add_bytes(data)
        return data


@contextmanager
def _whole() -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise _not_ours(f"it is not whole: {error}") from error


def _info(name: str, size_bytes: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size_bytes, 0o600, int(wall_time())
    return info


def _encoded(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"


def _not_ours(why: str) -> RequestError:
    return RequestError(f"this is no archive of `llama stack storage export`: {why}", code="archive_invalid")
