"""A vector database as the suite asks it: requests made of arrays, answers as arrays and lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runtime.apis.vector_io.protocol import (
    GROUP_BITS,
    CollectionRequest,
    CreateCollection,
    PutVectors,
    ReadVectors,
    RemoveGroups,
    SearchVectors,
)
from runtime.conformance.vector_io.subject import Opened

PROVIDER = "acme"
NAME = "vs_1"
Array = np.ndarray[Any, np.dtype[np.float32]]


@dataclass
class Found:
    numbers: list[int]
    similarities: list[float]


class Asked:
    def __init__(self, opened: Opened) -> None:
        self.adapter, self.stop = opened.adapter, opened.stop

    async def create(self, dimension: int, name: str = NAME) -> None:
        await self.adapter.create_collection(
            CreateCollection(provider_id=PROVIDER, collection=name, dimension=dimension)
        )

    async def drop(self, name: str = NAME) -> None:
        await self.adapter.drop_collection(CollectionRequest(provider_id=PROVIDER, collection=name))

    async def put(self, numbers: Iterable[int], vectors: Array, name: str = NAME) -> None:
        content = np.ascontiguousarray(vectors, "<f4").tobytes()
        request = PutVectors(provider_id=PROVIDER, collection=name, numbers=[*numbers], vectors=content)
        await self.adapter.put_vectors(request)

    async def remove(self, *groups: int, name: str = NAME) -> None:
        await self.adapter.remove_groups(RemoveGroups(provider_id=PROVIDER, collection=name, groups=[*groups]))

    async def search(
        self, vector: Array, limit: int = 10, groups: Sequence[int] | None = None, name: str = NAME
    ) -> Found:
        wanted = None if groups is None else [*groups]
        hits = await self.adapter.search_vectors(
            SearchVectors(
                provider_id=PROVIDER,
                collection=name,
                vector=vector.astype("<f4").tobytes(),
                limit=limit,
                groups=wanted,
            )
        )
        return Found([*hits.numbers], [*hits.similarities])

    async def read(self, numbers: Iterable[int], name: str = NAME) -> tuple[list[int], bytes]:
        found = await self.adapter.read_vectors(ReadVectors(provider_id=PROVIDER, collection=name, numbers=[*numbers]))
        return [*found.numbers], found.vectors


def numbered(group: int, count: int, first: int = 0) -> list[int]:
    return [(group << GROUP_BITS) + ordinal for ordinal in range(first, first + count)]


def drawn(count: int, dimension: int, seed: int = 0) -> Array:
    """Vectors of length 1 around 20 others, which are the same for each seed, as texts on 20 subjects have them."""
    subjects = np.random.default_rng(dimension).standard_normal((20, dimension))
    random = np.random.default_rng(seed)
    vectors = subjects[random.integers(0, 20, count)] + 0.7 * random.standard_normal((count, dimension))
    units: Array = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("<f4")
    return units


def nearest(numbers: Sequence[int], vectors: Array, vector: Array, limit: int) -> Found:
    """The exact answer."""
    similarities = vectors @ vector
    order = np.argsort(-similarities, kind="stable")[:limit]
    return Found([numbers[at] for at in order], [float(similarities[at]) for at in order])
