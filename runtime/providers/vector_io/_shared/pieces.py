"""Long lists in pieces, for databases that take only so much at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
Found = tuple[Sequence[int], Sequence[float]]
"""Numbers and similarities, the nearest first."""


def pieces(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), most):
        yield items[at : at + most]


def pieces_of_groups(groups: Sequence[int] | None, most: int) -> Sequence[Sequence[int] | None]:
    """The groups of each of the searches that are one for the caller."""
    return [None] if groups is None else [*pieces(groups, most)]


def nearest(found: Sequence[Found], limit: int) -> Found:
    """The nearest of what several searches have found."""
    if len(found) == 1:
        return found[0]
    pairs = [pair for numbers, similarities in found for pair in zip(similarities, numbers, strict=True)]
    pairs.sort(key=lambda pair: -pair[0])
    return [number for _, number in pairs[:limit]], [similarity for similarity, _ in pairs[:limit]]
