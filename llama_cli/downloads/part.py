"""A file that is not whole yet: its bytes, and beside them a note of which pieces have come, for the next try.

Knows pieces and that note. Asks nobody.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from llama_cli.downloads.remote import RemoteFile
from llama_cli.weights.room import writing
from runtime.config.home import atomic_write, private_folder

PIECE_BYTES = 32 * 2**20
"""Asked for at once, so that asking costs little."""


class Part:
    """folder: for parts. target: where the file lies once it is whole and its digest is right."""

    def __init__(self, file: RemoteFile, folder: Path, target: Path) -> None:
        self.file = file
        self.target = target
        name = hashlib.sha256(file.path.encode()).hexdigest()[:16]
        self.data = folder / f"{name}.part"
        self._note = folder / f"{name}.json"
        self._piece_bytes = PIECE_BYTES
        self._lock = Lock()
        self._came: dict[int, int] = {}
        """How many bytes of each piece are there, by where it begins."""
        self.sha256: str | None = None
        self._read()

    @property
    def is_whole(self) -> bool:
        """Whether the file is at its target, and its digest was right."""
        return self.sha256 is not None

    @property
    def pieces(self) -> list[int]:
        """The first bytes of those that have not come."""
        return [first for first in self._all() if self._came.get(first) != self.length(first)]

    @property
    def come_bytes(self) -> int:
        return self.file.size_bytes if self.is_whole else sum(self._came.values())

    def come_of(self, first: int) -> int:
        """How many bytes of a piece are there."""
        return self._came.get(first, 0)

    def length(self, first: int) -> int:
        """Of the piece that begins there."""
        return min(self._piece_bytes, self.file.size_bytes - first)

    def begin(self) -> None:
        """Make the file in its whole length, as far as it is not there. Raises OSError."""
        private_folder(self.data.parent)
        if not self._came:  # what there may be is of another file
            self.data.unlink(missing_ok=True)
        with self._opened() as handle:
            os.ftruncate(handle, self.file.size_bytes)
        self._write()

    def put(self, at: int, data: bytes) -> None:
        """Raises OSError."""
        with self._opened() as handle:
            left = memoryview(data)
            while left:
                written = os.pwrite(handle, left, at)
                left, at = left[written:], at + written

    def note(self, first: int, come_bytes: int) -> bool:
        """Note how much is there from a piece's beginning on, which can be more than the piece; whether nothing of the
        file is missing now. Raises OSError.
        """
        with self._lock:
            for begin in range(first, first + max(1, come_bytes), self._piece_bytes):
                self._came[begin] = min(self.length(begin), first + come_bytes - begin)
            self._write()
            return not self.pieces

    def leave_out(self, others_than: int) -> int:
        """Take all pieces but one as if they had not come; how many bytes that is."""
        with self._lock:
            left_out = [first for first in self._came if first != others_than]
            return sum(self._came.pop(first) for first in left_out)

    def finish(self, sha256: str) -> None:
        """Put the file at its target; its digest is right. Raises OSError."""
        private_folder(self.target.parent)
        with self.data.open("rb") as data:
            os.fsync(data.fileno())
        self.data.replace(self.target)
        self.sha256 = sha256
        self._write()

    def forget(self) -> None:
        """Begin anew: what has come is of no use."""
        self._came.clear()
        self.sha256 = None
        self.data.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        with writing(self.data):
            handle = os.open(self.data, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                yield handle
            finally:
                os.close(handle)

    def _all(self) -> range:
        return range(0, self.file.size_bytes, self._piece_bytes)

    def _key(self) -> dict[str, Any]:
        """What must be the same for bytes that have come to be of use."""
        digest = self.file.digest
        return {
            "path": self.file.path,
            "size_bytes": self.file.size_bytes,
            "digest": f"{digest.kind}:{digest.value}" if digest else None,
            "piece_bytes": self._piece_bytes,
        }

    def _read(self) -> None:
        # Only reads: another process may be at work on it, and a dry run leaves everything.
        try:
            noted = json.loads(self._note.read_text(encoding="utf-8"))
            is_same = all(noted[name] == value for name, value in self._key().items())
            came = {int(first): int(count) for first, count in noted["came"].items()}
            sha256 = noted["sha256"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            is_same, came, sha256 = False, {}, None
        if is_same and sha256 and self.target.is_file() and self.target.stat().st_size == self.file.size_bytes:
            self.sha256 = str(sha256)
        elif is_same and self.data.is_file() and self.data.stat().st_size == self.file.size_bytes:
            self._came = {first: came[first] for first in self._all() if 0 < came.get(first, 0) <= self.length(first)}

    def _write(self) -> None:
        note = {**self._key(), "came": self._came, "sha256": self.sha256}
        atomic_write(self._note, json.dumps(note))
