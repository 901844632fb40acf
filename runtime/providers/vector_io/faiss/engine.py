"""Collections of FAISS: each a file, which is read into memory when it is first used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from runtime.providers.vector_io._shared.locks import SharedLock
from runtime.providers.vector_io._shared.pieces import Found
from runtime.providers.vector_io.faiss.index import FlatIndex
from runtime.providers.vector_io.faiss.log_file import PUT, REMOVE, BrokenFile, LogFile

_SUFFIX = ".vectors"


class _Collection:
    """One in memory, and its file."""

    def __init__(self, log: LogFile) -> None:
        self.log = log
        self.index = FlatIndex(log.dimension)
        self.lock = SharedLock()
        for kind, rows, body in log.records():
            integers = np.frombuffer(body, "<i8", rows)
            if kind == PUT:
                self.index.put(integers, np.frombuffer(body, "<f4", offset=integers.nbytes).reshape(rows, -1))
            elif kind == REMOVE:
                self.index.remove(integers.tolist())

    def compact(self) -> None:
        if self.log.has_waste(len(self.index)):
            self.log.write_anew(self.index.rows())


class FaissEngine:
    """Collections in a folder, which is made if it is missing."""

    failures: tuple[type[Exception], ...] = (OSError, BrokenFile)
    most_dimensions = 2**31 - 1

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._collections: dict[str, _Collection] = {}

    def dimension(self, name: str) -> int | None:
        path = self._path(name)
        if not path.exists():
            return None
        if name not in self._collections:
            self._collections[name] = _Collection(LogFile(path))
        return self._collections[name].log.dimension

    def create(self, name: str, dimension: int) -> None:
        self._collections[name] = _Collection(LogFile.make(self._path(name), dimension))

    def drop(self, name: str) -> None:
        self._collections.pop(name).log.remove()

    def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        collection = self._collections[name]
        integers = np.array(numbers, "<i8")
        collection.log.add(PUT, len(numbers), integers.tobytes(), vectors)
        with collection.lock.alone():
            collection.index.put(integers, np.frombuffer(vectors, "<f4").reshape(-1, dimension))
        collection.compact()

    def remove(self, name: str, groups: Sequence[int]) -> None:
        collection = self._collections[name]
        collection.log.add(REMOVE, len(groups), np.array(groups, "<i8").tobytes())
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
            collection.log.close()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"
