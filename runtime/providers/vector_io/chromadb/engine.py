"""Chroma's collections in a folder, by its own client. How they are laid out: `layout.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from chromadb.config import Settings
from chromadb.errors import ChromaError, NotFoundError

from runtime.providers.vector_io._shared.pieces import Found, nearest, pieces, pieces_of_groups
from runtime.providers.vector_io.chromadb import layout

_FEW_GROUPS, _FEW = 50, 500
"""So many vectors of so many groups are read and compared here, in a quarter of the time that Chroma needs to search
among them.
"""


class ChromaEngine:
    """Chroma in a folder. Raises ChromaError and OSError if it cannot be opened."""

    most_dimensions = 2**31 - 1
    failures: tuple[type[Exception], ...] = (ChromaError, OSError)

    def __init__(self, folder: Path) -> None:
        self._client: Any = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
        self._most_rows = self._client.get_max_batch_size()
        self._collections: dict[str, Any] = {}

    def dimension(self, name: str) -> int | None:
        try:
            found = self._client.get_collection(layout.stored_name(name), embedding_function=None)
        except NotFoundError:
            return None
        self._collections[name] = found
        return int(found.metadata["dimension"])

    def create(self, name: str, dimension: int) -> None:
        self._collections[name] = self._client.create_collection(
            layout.stored_name(name),
            configuration=layout.CONFIGURATION,
            metadata={"dimension": dimension},
            embedding_function=None,
        )

    def drop(self, name: str) -> None:
        del self._collections[name]
        self._client.delete_collection(layout.stored_name(name))

    def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        rows = np.frombuffer(vectors, "<f4").reshape(-1, dimension)
        collection = self._collections[name]
        for at in range(0, len(numbers), self._most_rows):
            some = numbers[at : at + self._most_rows]
            collection.upsert(
                ids=[str(number) for number in some],
                embeddings=rows[at : at + self._most_rows],
                metadatas=[layout.metadata_of(number) for number in some],
            )

    def remove(self, name: str, groups: Sequence[int]) -> None:
        collection = self._collections[name]
        for some in pieces(groups, layout.MOST_VALUES):
            collection.delete(where=layout.within(some))

    def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        collection, asked = self._collections[name], np.frombuffer(vector, "<f4")
        if groups is not None and len(groups) <= _FEW_GROUPS:
            some = collection.get(where=layout.within(groups), limit=_FEW + 1, include=["embeddings"])
            if len(some["ids"]) <= _FEW:
                return _nearest_of(some["ids"], some["embeddings"], asked, limit)

        def search(groups: Sequence[int] | None) -> Found:
            where = None if groups is None else layout.within(groups)
            answer = collection.query(
                query_embeddings=[asked], n_results=min(limit, layout.MOST_HITS), where=where, include=["distances"]
            )
            return [int(number) for number in answer["ids"][0]], [1.0 - far for far in answer["distances"][0]]

        return nearest([search(some) for some in pieces_of_groups(groups, layout.MOST_VALUES)], limit)

    def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        collection = self._collections[name]
        found: dict[int, bytes] = {}
        for some in pieces(numbers, layout.MOST_VALUES):
            answer = collection.get(ids=[str(number) for number in some], include=["embeddings"])
            for number, vector in zip(answer["ids"], answer["embeddings"], strict=True):
                found[int(number)] = np.asarray(vector, "<f4").tobytes()
        return found

    def close(self) -> None:
        self._client.close()


def _nearest_of(ids: Sequence[str], vectors: Any, asked: Any, limit: int) -> Found:
    """vectors: [ids, dimension]; asked: [dimension]."""
    if not ids:
        return (), ()
    similarities = np.asarray(vectors, np.float32) @ asked
    best = np.argsort(-similarities, kind="stable")[:limit]
    return [int(ids[at]) for at in best], similarities[best].tolist()
