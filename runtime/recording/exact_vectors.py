"""A vector database for replays: exact, in memory, gone with the process.

What a search finds follows from the vectors that were put there, which are recorded with whatever made them: so it
needs no recordings of its own, and no database. Implements `VectorIo`.
"""

from __future__ import annotations

from typing import Any

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


class _Collection:
    """rows: the vectors by number, little-endian float32."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.rows: dict[int, bytes] = {}

    def split(self, data: bytes) -> list[bytes]:
        """The vectors in some bytes. Raises RequestError for vectors of another dimension."""
        width = 4 * self.dimension
        if len(data) % width:
            raise RequestError(f"The vectors do not have the {self.dimension} numbers of the collection's")
        return [data[at : at + width] for at in range(0, len(data), width)]


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
        rows = collection.split(request.vectors)
        if len(rows) != len(request.numbers):
            raise RequestError(f"There are {len(rows)} vectors for {len(request.numbers)} numbers")
        collection.rows.update(zip(request.numbers, rows, strict=True))

    async def remove_groups(self, request: RemoveGroups) -> None:
        rows, groups = self._of(request).rows, set(request.groups)
        for number in [number for number in rows if group_of(number) in groups]:
            del rows[number]

    async def search_vectors(self, request: SearchVectors) -> Hits:
        import numpy as np  # not above: a replay starts in a moment, and most search nothing

        collection = self._of(request)
        [vector] = collection.split(request.vector)
        groups = None if request.groups is None else set(request.groups)
        numbers = [number for number in collection.rows if groups is None or group_of(number) in groups]
        rows = np.frombuffer(b"".join(map(collection.rows.__getitem__, numbers)), "<f4").reshape(
            -1, collection.dimension
        )
        cosines = np.clip(rows @ np.frombuffer(vector, "<f4"), -1.0, 1.0)
        best = sorted(zip((-cosines).tolist(), numbers, strict=True))[: request.limit]
        return Hits([number for _, number in best], [-less for less, _ in best])

    async def read_vectors(self, request: ReadVectors) -> Vectors:
        rows = self._of(request).rows
        there = [number for number in request.numbers if number in rows]
        return Vectors(there, b"".join(rows[number] for number in there))

    def _of(self, request: CollectionRequest) -> _Collection:
        try:
            return self._collections[request.collection]
        except KeyError:
            raise NotFound(f"There is no collection `{request.collection}`") from None
