"""Collections of FAISS: each a file, which is read into memory when it is first used."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from runtime.providers.vector_io._shared.locks import SharedLock
from runtime.providers.vector_io._shared.pieces import Found
from runtime.providers.vector_io.faiss.index import FlatIndex
from runtime.providers.vector_io.faiss.log_file import PART, PUT, REMOVE, BrokenFile, LogFile

log = logging.getLogger(__name__)
_SUFFIX = ".vectors"


class _Collection:
    """One in memory, and its file."""

    def __init__(self, file: LogFile) -> None:
        self.file = file
        self.index = FlatIndex(file.dimension)
        self.lock = SharedLock()
        for kind, rows, body in file.records():
            integers = np.frombuffer(body, "<i8", rows)
            if kind == PUT:
                self.index.put(integers, np.frombuffer(body, "<f4", offset=integers.nbytes).reshape(rows, -1))
            elif kind == REMOVE:
                self.index.remove(integers.tolist())

    def compact(self) -> None:
        """A full disk is no failure of the change that this follows."""
        if self.file.has_waste(len(self.index)):
            try:
                self.file.write_anew(self.index.rows())
            except OSError as error:
                log.warning("file of vectors not compacted", extra={"error": error.strerror})


class FaissEngine:
    """Collections in a folder."""

    failures: tuple[type[Exception], ...] = (OSError, BrokenFile)
    most_dimensions = 2**31 - 1

    def __init__(self, folder: Path) -> None:
        for left in folder.glob(f"*{PART}"):  # of a file that was not completed
            left.unlink()
        self._folder = folder
        self._collections: dict[str, _Collection] = {}

    def dimension(self, name: str) -> int | None:
        path = self._path(name)
        if not path.exists():
            return None
        if name not in self._collections:
            self._collections[name] = _Collection(LogFile(path))
        return self._collections[name].file.dimension

    def create(self, name: str, dimension: int) -> None:
        self._collections[name] = _Collection(LogFile.make(self._path(name), dimension))

    def drop(self, name: str) -> None:
        self._collections.pop(name).file.remove()

    def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        collection = self._collections[name]
        integers = np.array(numbers, "<i8")
        collection.file.add(PUT, len(numbers), integers.tobytes(), vectors)
        with collection.lock.alone():
            collection.index.put(integers, np.frombuffer(vectors, "<f4").reshape(-1, dimension))
        collection.compact()

    def remove(self, name: str, groups: Sequence[int]) -> None:
        collection = self._collections[name]
        collection.file.add(REMOVE, len(groups), np.array(groups, "<i8").tobytes())
        with collection.lock.alone():
            collection.index.remove(groups)
        collection.compact()

    def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        collection = self._collections[name]
        with collection.lock.shared():
            return collection.index.search(np.frombuffer(vector, "<f4"), limit, groups)

    def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        collection = self._collections[name]
        with collection.lock.shared():
            return collection.index.read(numbers)

    def close(self) -> None:
        for collection in self._collections.values():
            collection.file.close()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"
