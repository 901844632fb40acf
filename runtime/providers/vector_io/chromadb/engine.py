"""Collections of Chroma: an id is a vector's number, its metadata the group.

The space is the inner product, which is the cosine for vectors of length 1, and keeps them as they were given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from chromadb.config import Settings
from chromadb.errors import ChromaError, NotFoundError

from runtime.apis.vector_io import group_of
from runtime.providers.vector_io._shared.pieces import Found, nearest_of_pieces, pieces

_MOST_VALUES = 10_000
"""Groups or ids of one call: each is a variable of an SQL statement, and SQLite takes 32,766."""
_MOST_HITS = 2**31 - 1
_CONFIGURATION = {"hnsw": {"space": "ip"}}
_SUFFIX = "-vectors"
"""A name must end with a letter or a digit, and a collection's may end with `_`."""


class ChromaEngine:
    """Chroma in a folder, which is made if it is missing. Raises ChromaError and OSError if it cannot be opened."""

    most_dimensions = 2**31 - 1
    failures: tuple[type[Exception], ...] = (ChromaError, OSError)

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._client: Any = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
        self._most_rows = self._client.get_max_batch_size()
        self._collections: dict[str, Any] = {}

    def dimension(self, name: str) -> int | None:
        try:
            found = self._client.get_collection(name + _SUFFIX, embedding_function=None)
        except NotFoundError:
            return None
        self._collections[name] = found
        return int(found.metadata["dimension"])

    def create(self, name: str, dimension: int) -> None:
        self._collections[name] = self._client.create_collection(
            name + _SUFFIX, configuration=_CONFIGURATION, metadata={"dimension": dimension}, embedding_function=None
        )

    def drop(self, name: str) -> None:
        del self._collections[name]
        self._client.delete_collection(name + _SUFFIX)

    def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        rows = np.frombuffer(vectors, "<f4").reshape(-1, dimension)
        collection = self._collections[name]
        for at in range(0, len(numbers), self._most_rows):
            some = numbers[at : at + self._most_rows]
            collection.upsert(
                ids=[str(number) for number in some],
                embeddings=rows[at : at + self._most_rows],
                metadatas=[{"group": group_of(number)} for number in some],
            )

    def remove(self, name: str, groups: Sequence[int]) -> None:
        collection = self._collections[name]
        for some in pieces(groups, _MOST_VALUES):
            collection.delete(where=_where(some))

    def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        collection = self._collections[name]
        asked = [np.frombuffer(vector, "<f4")]

        def search(groups: Sequence[int] | None) -> Found:
            where = None if groups is None else _where(groups)
            answer = collection.query(
                query_embeddings=asked, n_results=min(limit, _MOST_HITS), where=where, include=["distances"]
            )
            return [int(number) for number in answer["ids"][0]], [1.0 - far for far in answer["distances"][0]]

        return nearest_of_pieces(groups, _MOST_VALUES, limit, search)

    def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        collection = self._collections[name]
        found: dict[int, bytes] = {}
        for some in pieces(numbers, _MOST_VALUES):
            answer = collection.get(ids=[str(number) for number in some], include=["embeddings"])
            for number, vector in zip(answer["ids"], answer["embeddings"], strict=True):
                found[int(number)] = np.asarray(vector, "<f4").tobytes()
        return found

    def close(self) -> None:
        self._client.close()


def _where(groups: Sequence[int]) -> dict[str, Any]:
    return {"group": {"$in": list(groups)}}
