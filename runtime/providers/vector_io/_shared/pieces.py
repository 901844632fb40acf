"""Long lists in pieces, for libraries that take only so much at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
Found = tuple[Sequence[int], Sequence[float]]
"""Numbers and similarities, the nearest first."""


def pieces(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), most):
        yield items[at : at + most]


def nearest_of_pieces(
    groups: Sequence[int] | None, most: int, limit: int, search: Callable[[Sequence[int] | None], Found]
) -> Found:
    """The nearest of what `search` finds in each piece of the groups. most: how many groups it takes at once."""
    if groups is None or len(groups) <= most:
        return search(groups)
    found = [search(piece) for piece in pieces(groups, most)]
    pairs = [pair for numbers, similarities in found for pair in zip(similarities, numbers, strict=True)]
    pairs.sort(key=lambda pair: -pair[0])
    return [number for _, number in pairs[:limit]], [similarity for similarity, _ in pairs[:limit]]
