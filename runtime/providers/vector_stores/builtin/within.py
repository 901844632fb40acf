"""The part of an index that a search is made in: the groups whose attributes pass its filter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from runtime.apis.vector_io.protocol import Hits, group_of
from runtime.providers.vector_stores.builtin.filters import Test
from runtime.providers.vector_stores.builtin.indexes import Group, VectorIndex

_MANY_GROUPS = 10_000
"""So many are tested in a thread, since it takes some milliseconds."""


class Within:
    """The part of an index that is searched. wanted: its groups, None for all. chunks, gone: as of a `VectorIndex`."""

    def __init__(self, index: VectorIndex, groups: Sequence[Group] | None) -> None:
        self.index = index
        self.wanted = None if groups is None else [group.number for group in groups]
        self.chunks = index.chunks if groups is None else sum(group.chunks for group in groups)
        self.gone = index.gone if groups is None else sum(len(group.gone) for group in groups)
        self._groups = index.groups if groups is None else {group.number: group for group in groups}

    @property
    def seen(self) -> list[int]:
        """Its groups, also where all are wanted."""
        return [*self._groups]

    def has(self, number: int) -> bool:
        group = self._groups.get(group_of(number))
        return group is not None and group.has(number)

    def only(self, hits: Hits) -> Hits:
        """Those that are in it."""
        kept = [
            (number, similarity)
            for number, similarity in zip(hits.numbers, hits.similarities, strict=True)
            if self.has(number)
        ]
        return Hits([number for number, _ in kept], [similarity for _, similarity in kept])

    def numbers(self) -> list[int]:
        """Of every vector in it."""
        return [number for group in self._groups.values() for number in group.numbers()]


async def passing(index: VectorIndex, test: Test | None) -> list[Group] | None:
    """The groups whose attributes pass; None for all of them."""
    if test is None:
        return None
    if len(index.groups) < _MANY_GROUPS:
        passing = _tested(list(index.groups.values()), test)
    else:
        passing = await asyncio.to_thread(_tested, list(index.groups.values()), test)
    return None if len(passing) == len(index.groups) else passing


def _tested(groups: Sequence[Group], test: Callable[[Any], bool]) -> list[Group]:
    return [group for group in groups if test(group.attributes)]
