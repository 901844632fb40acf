"""A vector database for replays: exact, in memory, gone with the process.

What a search finds follows from the vectors that were put there, which are recorded with whatever made them: so it
needs no recordings of its own, and no database. Implements `VectorIo`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.apis.vector_io.protocol import (
    CollectionRequest,
    CreateCollection,
    Hits,
    PutVectors,
    ReadVectors,
    RemoveGroups,
    SearchVectors,
    Vectors,
    group_of,
)
from runtime.errors import Conflict, NotFound, RequestError

Row = NDArray[np.float32]


class _Collection:
    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.rows: dict[int, Row] = {}

    def vectors(self, data: bytes) -> NDArray[np.float32]:
        """[count, dimension]. Raises RequestError for vectors of another dimension."""
        if len(data) % (4 * self.dimension):
            raise RequestError(f"The vectors do not have the {self.dimension} numbers of the collection's")
        return np.frombuffer(data, dtype="<f4").reshape(-1, self.dimension)


class ExactVectors:
    """See `runtime/apis/vector_io/protocol.py`."""

    def __init__(self, config: Any, context: Any) -> None:
        self._collections: dict[str, _Collection] = {}

    async def create_collection(self, request: CreateCollection) -> None:
        """Raises Conflict."""
        there = self._collections.setdefault(request.collection, _Collection(request.dimension))
        if there.dimension != request.dimension:
            raise Conflict(
                f"The collection `{request.collection}` has vectors of {there.dimension} numbers, not of"
                f" {request.dimension}"
            )

    async def drop_collection(self, request: CollectionRequest) -> None:
        self._collections.pop(request.collection, None)

    async def put_vectors(self, request: PutVectors) -> None:
        """Raises RequestError for vectors of another dimension, or another number of them, and NotFound."""
        collection = self._of(request)
        rows = collection.vectors(request.vectors)
        if len(rows) != len(request.numbers):
            raise RequestError(f"There are {len(rows)} vectors for {len(request.numbers)} numbers")
        collection.rows.update(zip(request.numbers, rows, strict=True))

    async def remove_groups(self, request: RemoveGroups) -> None:
        rows, groups = self._of(request).rows, set(request.groups)
        for number in [number for number in rows if group_of(number) in groups]:
            del rows[number]

    async def search_vectors(self, request: SearchVectors) -> Hits:
        collection = self._of(request)
        [vector] = collection.vectors(request.vector)
        groups = None if request.groups is None else set(request.groups)
        numbers = [number for number in collection.rows if groups is None or group_of(number) in groups]
        if not numbers:
            return Hits((), ())
        cosines = np.clip(np.stack([collection.rows[number] for number in numbers]) @ vector, -1.0, 1.0)
        best = sorted(zip(-cosines, numbers, strict=True))[: request.limit]
        return Hits([number for _, number in best], [float(-less) for less, _ in best])

    async def read_vectors(self, request: ReadVectors) -> Vectors:
        rows = self._of(request).rows
        there = [number for number in request.numbers if number in rows]
        return Vectors(there, _bytes(rows[number] for number in there))

    def _of(self, request: CollectionRequest) -> _Collection:
        try:
            return self._collections[request.collection]
        except KeyError:
            raise NotFound(f"There is no collection `{request.collection}`") from None


def _bytes(rows: Iterable[Row]) -> bytes:
    return b"".join(row.astype("<f4").tobytes() for row in rows)
