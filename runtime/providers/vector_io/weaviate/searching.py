"""What is asked of Weaviate's two ways of searching, and how a vector's number is the id of an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

GROUP = "in_group"
"""The property with a vector's group."""
_OURS = int.from_bytes(b"llamas\x80\x00") << 64
"""The upper half of each id, so that none is the nil UUID. Its version is 8: RFC 9562, 5.8."""


class SearchFailed(Exception):
    """The cluster's words for why it does not search."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """near: a vector, of which the nearest are found. groups, numbers: only vectors with one of these. has_vectors:
    whether hits have theirs.
    """

    limit: int
    near: bytes | None = None
    groups: Sequence[int] | None = None
    numbers: Sequence[int] | None = None
    has_vectors: bool = False


@dataclass(frozen=True, kw_only=True)
class Hit:
    """distance: 1 - the cosine, of a search that has `near`. vector: little-endian float32."""

    number: int
    distance: float = 0.0
    vector: bytes = b""


class Searches(Protocol):
    async def hits(self, collection: str, query: Query) -> list[Hit]:
        """The nearest first. Raises SearchFailed and what the client raises."""
        ...


def id_of(number: int) -> str:
    return str(UUID(int=_OURS | number))


def number_of(own_id: str) -> int:
    return UUID(own_id).int & (2**64 - 1)
