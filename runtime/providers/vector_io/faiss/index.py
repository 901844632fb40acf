"""A collection in memory: FAISS's flat index, and beside it the number and the group of each of its rows.

    search  ->  many of the rounded vectors, about the nearest  ->  these compared exactly  ->  are they the nearest?
                                                                                 not sure: more of them; at last, all

So what is found is exact. Searches may run at once, changes alone: the caller sees to it. Knows no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import faiss
import numpy as np

from runtime.apis.vector_io.protocol import GROUP_BITS
from runtime.providers.vector_io._shared.pieces import Found
from runtime.providers.vector_io.faiss.rounded import RoundedVectors

Array = np.ndarray[Any, Any]
_PIECE_ROWS = 8192
_FEW = 8
"""One in so many rows, or fewer, are copied out and compared; of more, the index skips the others."""
_CANDIDATES = (128, 512)
"""So many of the rounded vectors are looked at, at first and then; so many times more where more are asked for."""
_USUAL_LIMIT = 16
_WORST = 0.1
"""With vectors that are further off from what they are rounded to, hardly any search would be sure of its hits."""


class FlatIndex:
    """numbers: [rows], int64. slots: [rows], int32, which group of `_slot_of` each is in."""

    def __init__(self, dimension: int) -> None:
        self._index: Any = faiss.IndexFlatIP(dimension)
        self._rounded = RoundedVectors(dimension)
        self._dimension = dimension
        self._numbers: Array = np.empty(0, np.int64)
        self._slots: Array = np.empty(0, np.int32)
        self._slot_of: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def put(self, numbers: Array, vectors: Array) -> None:
        """numbers: [n], int64. vectors: [n, dimension], float32, of length 1."""
        self._delete(self._at(numbers))
        groups, which = np.unique(numbers >> GROUP_BITS, return_inverse=True)
        slots = np.array([self._slot_of.setdefault(int(group), len(self._slot_of)) for group in groups], np.int32)
        vectors = np.ascontiguousarray(vectors, np.float32)
        self._index.add(vectors)
        self._rounded.add(vectors)
        self._numbers = np.concatenate([self._numbers, numbers])
        self._slots = np.concatenate([self._slots, slots[which]])

    def remove(self, groups: Sequence[int]) -> None:
        self._delete(np.flatnonzero(self._mask(groups)))

    def search(self, vector: Array, limit: int, groups: Sequence[int] | None) -> Found:
        """vector: [dimension], float32. Numbers and cosines."""
        if groups is None:
            return self._nearest(vector, limit, len(self))
        mask = self._mask(groups)
        count = int(np.count_nonzero(mask))
        if count * _FEW > len(self):
            bits = np.packbits(mask, bitorder="little")
            chosen = faiss.IDSelectorBitmap(len(self), faiss.swig_ptr(bits))
            return self._nearest(vector, limit, count, faiss.SearchParameters(sel=chosen))  # type: ignore[call-arg]  # its stubs lack it
        rows, similarities = self._among(np.flatnonzero(mask), vector, limit)
        return self._numbers[rows].tolist(), similarities.tolist()

    def read(self, numbers: Sequence[int]) -> Mapping[int, bytes]:
        rows = self._at(np.array(numbers, np.int64))
        vectors = self._vectors()
        return {int(self._numbers[row]): vectors[row].tobytes() for row in rows}

    def rows(self) -> Iterator[tuple[int, bytes, bytes]]:
        """All of it in pieces: how many, their numbers and their vectors."""
        vectors = self._vectors()
        for at in range(0, len(self), _PIECE_ROWS):
            numbers = self._numbers[at : at + _PIECE_ROWS]
            yield len(numbers), numbers.tobytes(), vectors[at : at + _PIECE_ROWS].tobytes()

    def _nearest(self, vector: Array, limit: int, count: int, params: Any = None) -> Found:
        """count: how many rows there are to search; params: which, None for all."""
        limit = min(limit, count)
        if limit == 0:
            return (), ()
        faiss.omp_set_num_threads(1)  # of this thread: another core would do half of it, and wait as long
        for few in _CANDIDATES:
            candidates = few * -(-limit // _USUAL_LIMIT)
            if candidates * _FEW > count or self._rounded.error > _WORST:
                break
            rows, others = self._rounded.nearest(vector, candidates, params)
            rows, similarities = self._among(rows, vector, limit)
            if similarities[-1] >= others:
                return self._numbers[rows].tolist(), similarities.tolist()
        similarities, rows = self._index.search(vector[None], limit, params=params)
        return self._numbers[rows[0]].tolist(), similarities[0].tolist()

    def _among(self, rows: Array, vector: Array, limit: int) -> tuple[Array, Array]:
        """The nearest of some rows, and their cosines."""
        similarities = np.einsum("ij,j->i", self._vectors()[rows], vector)  # `@` wakes threads, which then wait busily
        best = np.argsort(-similarities, kind="stable")[:limit]
        return rows[best], similarities[best]

    def _vectors(self) -> Array:
        """Those of the index, not copied: [rows, dimension]. Not to be kept past the next change."""
        if not len(self):
            return np.empty((0, self._dimension), np.float32)
        found: Array = faiss.rev_swig_ptr(self._index.get_xb(), len(self) * self._dimension)
        return found.reshape(-1, self._dimension)

    def _mask(self, groups: Sequence[int]) -> Array:
        """Of the rows that are in these groups."""
        wanted = np.zeros(len(self._slot_of), bool)
        wanted[[self._slot_of[group] for group in groups if group in self._slot_of]] = True
        found: Array = wanted[self._slots]
        return found

    def _at(self, numbers: Array) -> Array:
        """The rows of those numbers that are there. Looks only into their groups, which are mostly new."""
        groups = {*(numbers >> GROUP_BITS).tolist()} & self._slot_of.keys()
        if not groups:
            return np.empty(0, np.int64)
        rows = np.flatnonzero(self._mask([*groups]))
        found: Array = rows[np.isin(self._numbers[rows], numbers)]
        return found

    def _delete(self, rows: Array) -> None:
        if not len(rows):
            return
        kept = np.ones(len(self), bool)
        kept[rows] = False
        self._index.remove_ids(rows)
        self._rounded.remove(rows)
        self._numbers = self._numbers[kept]
        left, self._slots = np.unique(self._slots[kept], return_inverse=True)
        group_of = {slot: group for group, slot in self._slot_of.items()}
        self._slot_of = {group_of[int(slot)]: at for at, slot in enumerate(left)}
        self._slots = self._slots.astype(np.int32)
