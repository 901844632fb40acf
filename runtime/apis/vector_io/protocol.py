"""The operations of the API `vector_io`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import Field

from runtime.apis._api import inner
from runtime.apis._request import Request

GROUP_BITS = 20
"""The low bits of a vector's number count within its group: a group has at most 2**20 vectors."""


def group_of(number: int) -> int:
    """The group that a vector belongs to."""
    return number >> GROUP_BITS


def numbers_of(group: int) -> range:
    """The numbers that vectors of a group can have."""
    return range(group << GROUP_BITS, (group + 1) << GROUP_BITS)


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search found, the nearest first. similarities: the cosines of the angles to the vector searched for, in
    [-1, 1], one for each number.
    """

    numbers: Sequence[int]
    similarities: Sequence[float]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors by number: those that are there, in the order in which they were asked for. vectors: as in `PutVectors`,
    up to what a backend rounds.
    """

    numbers: Sequence[int]
    vectors: bytes


class CollectionRequest(Request):
    """Which collection of which provider."""

    provider_id: str = Field(description="The provider that has it.")
    collection: str = Field(description="Its name: 3 to 60 of `a-z`, `0-9` and `_`, a letter first.")


class CreateCollection(CollectionRequest):
    """A place for vectors of one length."""

    dimension: int = Field(ge=1, description="How many numbers each vector has.")


class PutVectors(CollectionRequest):
    """Vectors to add, or to put in the place of those that have their numbers."""

    numbers: list[int] = Field(description="A number for each, from 0 to 2**63 - 1; none twice.")
    vectors: bytes = Field(
        description="The vectors, one after the other: little-endian float32, each of length 1 (its square sum)."
    )


class RemoveGroups(CollectionRequest):
    """Vectors to remove."""

    groups: list[int] = Field(description="Every vector of these groups.")


class SearchVectors(CollectionRequest):
    """What is near a vector."""

    vector: bytes = Field(description="As one of `PutVectors`.")
    limit: int = Field(ge=1, description="The most hits.")
    groups: list[int] | None = Field(None, description="Only vectors of these groups. By default, all.")


class ReadVectors(CollectionRequest):
    """Vectors to read."""

    numbers: list[int] = Field(description="Their numbers.")


class VectorIo(Protocol):
    """What is written is on disk when a method returns. Each method raises Unavailable while the database is down, and
    NotFound for a collection that was not created, but for `drop_collection`.
    """

    @inner(key="provider_id")
    async def create_collection(self, request: CreateCollection) -> None:
        """Make a collection; nothing changes if it is there. Raises Conflict if it has another dimension."""
        ...

    @inner(key="provider_id")
    async def drop_collection(self, request: CollectionRequest) -> None:
        """Remove a collection with everything in it; nothing happens if it is not there."""
        ...

    @inner(key="provider_id")
    async def put_vectors(self, request: PutVectors) -> None:
        """Add vectors, which searches find from now on. Raises RequestError for vectors of another dimension."""
        ...

    @inner(key="provider_id")
    async def remove_groups(self, request: RemoveGroups) -> None:
        """Remove every vector of some groups, which searches no longer find."""
        ...

    @inner(key="provider_id")
    async def search_vectors(self, request: SearchVectors) -> Hits:
        """The vectors with the greatest cosine similarity.

        An approximate index may miss some of them, and may find fewer than there are where `groups` leaves few of many.
        """
        ...

    @inner(key="provider_id")
    async def read_vectors(self, request: ReadVectors) -> Vectors:
        """Some vectors. Those that are not there are left out."""
        ...
