"""The vectors of indexes, which a provider of `vector_io` keeps. Knows where those of an index are, and no more."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from runtime.apis.vector_io import protocol as vector_io
from runtime.errors import NotFound, Unavailable
from runtime.providers.vector_stores.builtin.indexes import VectorIndex
from runtime.providers.vector_stores.builtin.patience import PROVIDER_MISSING, VECTORS_MISSING
from runtime.providers.vector_stores.builtin.vectors import with_direction


class IndexVectors:
    """Each method raises Unavailable while the database is down, and if it does not have the vectors of the index: only
    tables are exported and imported.
    """

    def __init__(self, backends: vector_io.VectorIo) -> None:
        self._backends = backends

    async def create(self, index: VectorIndex) -> None:
        """Raises Conflict if something of another dimension has its name."""
        request = vector_io.CreateCollection(
            provider_id=index.provider_id, collection=index.collection, dimension=index.dimension
        )
        await self._backends.create_collection(request)

    async def put(self, index: VectorIndex, numbers: Sequence[int], vectors: bytes) -> None:
        """vectors: of length 1, or all zeros: databases differ in what these are near, if they take them, so they are
        left out. Raises Unavailable.
        """
        kept, vectors = with_direction(numbers, vectors, index.dimension)
        request = vector_io.PutVectors(
            provider_id=index.provider_id, collection=index.collection, numbers=kept, vectors=vectors
        )
        try:
            await self._backends.put_vectors(request)
        except NotFound as error:
            raise _gone(index, error) from None

    async def search(
        self, index: VectorIndex, vector: bytes, limit: int, groups: Sequence[int] | None
    ) -> vector_io.Hits:
        """groups: None for all. Raises Unavailable."""
        request = vector_io.SearchVectors(
            provider_id=index.provider_id,
            collection=index.collection,
            vector=vector,
            limit=limit,
            groups=None if groups is None else list(groups),
        )
        try:
            return await self._backends.search_vectors(request)
        except NotFound as error:
            raise _gone(index, error) from None

    async def read(self, index: VectorIndex, numbers: Sequence[int]) -> vector_io.Vectors:
        """Those that are there. Raises Unavailable."""
        request = vector_io.ReadVectors(
            provider_id=index.provider_id, collection=index.collection, numbers=list(numbers)
        )
        try:
            return await self._backends.read_vectors(request)
        except NotFound as error:
            raise _gone(index, error) from None

    async def remove_groups(self, provider_id: str, collection: str, groups: Sequence[int]) -> None:
        """Nothing happens where there is no such collection or provider."""
        with contextlib.suppress(NotFound):
            await self._backends.remove_groups(
                vector_io.RemoveGroups(provider_id=provider_id, collection=collection, groups=list(groups))
            )

    async def drop(self, provider_id: str, collection: str) -> None:
        """As `remove_groups` does for all of them."""
        with contextlib.suppress(NotFound):
            await self._backends.drop_collection(
                vector_io.CollectionRequest(provider_id=provider_id, collection=collection)
            )


def _gone(index: VectorIndex, error: NotFound) -> Unavailable:
    if error.code == PROVIDER_MISSING:
        return Unavailable(
            f"The vectors of the vector store `{index.store_id}` are kept by the provider `{index.provider_id}`, which"
            " is not configured",
            hint=f"configure it, or name another one: POST /v1/vector_stores/{index.store_id}/reindex",
            code=PROVIDER_MISSING,
        )
    return Unavailable(
        f"The vectors of the vector store `{index.store_id}` are not in `{index.provider_id}`",
        hint=f"have them made anew: POST /v1/vector_stores/{index.store_id}/reindex",
        code=VECTORS_MISSING,
    )
