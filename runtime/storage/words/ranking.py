"""The texts of one collection as a search needs them, and their ranking by BM25.

Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009, as Lucene computes it: the sum
over the words of `ln(1 + (N - n + 0.5) / (n + 0.5)) * tf / (tf + k1 * (1 - b + b * length / average length))`, for N
texts of which n have the word, and this one tf times.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.apis.vector_io.protocol import GROUP_BITS
from runtime.storage.words.blocks import as_bytes, find
from runtime.storage.words.tables import block_id

_K1, _B = 1.2, 0.75


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A segment as it was read, without its blocks. starts: the first word of each block. numbers: [texts], int64;
    lengths: [texts], int32; removed: [texts].
    """

    id: int
    version: int
    age: int
    starts: Sequence[bytes]
    numbers: NDArray[np.int64]
    lengths: NDArray[np.int32]
    removed: NDArray[np.bool_]

    def block_with(self, word: bytes) -> int | None:
        """The id of the only block in which a word can be; None where it is in none."""
        place = bisect_right(self.starts, word) - 1
        return block_id(self.id, place) if place >= 0 else None


class Texts:
    """All texts of a collection. segments: the oldest first."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = segments
        self.bounds = np.cumsum([0, *(len(one.numbers) for one in segments)])
        self._numbers = np.concatenate([np.empty(0, np.int64), *(one.numbers for one in segments)])
        lengths = np.concatenate([np.empty(0, np.int32), *(one.lengths for one in segments)])
        removed = np.concatenate([np.empty(0, np.bool_), *(one.removed for one in segments)])
        self._counts = ~removed & _is_newest(self._numbers, ~removed)
        self.count = int(self._counts.sum())
        self._all_count = self.count == len(self._numbers)
        average = max(1.0, float(lengths[self._counts].mean())) if self.count else 1.0
        self._norms = _K1 * (1 - _B + _B * lengths / average)

    def counted(self, place: int) -> NDArray[np.bool_]:
        """Which texts of a segment count, [texts]: those that are not removed, and in no newer one. place: of the
        segment.
        """
        return self._counts[self.bounds[place] : self.bounds[place + 1]]

    def blocks_for(self, words: Sequence[str]) -> set[int]:
        """The ids of the blocks that a search for these words reads."""
        found = (segment.block_with(word) for word in map(as_bytes, words) for segment in self.segments)
        return {block for block in found if block is not None}

    def best(
        self, words: Sequence[str], blocks: Mapping[int, bytes], *, limit: int, groups: Collection[int] | None
    ) -> list[tuple[int, float]]:
        """The numbers of the best texts with their scores, which are positive: the best first, equally good ones by
        number. words: none twice. blocks: those of `blocks_for`. groups: only texts of these; None for all.
        """
        scores = np.zeros(len(self._numbers))
        for word in map(as_bytes, words):
            places, times = self._postings(word, blocks)
            if not self._all_count:
                counting = self._counts[places]
                places, times = places[counting], times[counting]
            weight = math.log1p((self.count - len(places) + 0.5) / (len(places) + 0.5))
            scores[places] += weight * times / (times + self._norms[places])
        found = np.flatnonzero(scores)
        if groups is not None:
            found = found[np.isin(self._numbers[found] >> GROUP_BITS, np.fromiter(groups, np.int64, len(groups)))]
        if len(found) > limit:
            least = np.partition(scores[found], -limit)[-limit]
            found = found[scores[found] >= least]
        order = np.lexsort((self._numbers[found], -scores[found]))[:limit]
        best = found[order]
        return list(zip(self._numbers[best].tolist(), scores[best].tolist(), strict=True))

    def _postings(self, word: bytes, blocks: Mapping[int, bytes]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The places of the texts with a word, and how often each has it."""
        places, times = [np.empty(0, np.int64)], [np.empty(0)]
        for segment, begin in zip(self.segments, self.bounds.tolist(), strict=False):
            block = segment.block_with(word)
            found = None if block is None else find(blocks[block], word)
            if found is not None:
                places.append(found[0].astype(np.int64) + begin)
                times.append(found[1].astype(np.float64))
        return np.concatenate(places), np.concatenate(times)


def _is_newest(numbers: NDArray[np.int64], is_candidate: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which is the last candidate with its number, [texts]; those that are none are not looked at."""
    candidates = numbers[is_candidate]
    in_order = np.sort(candidates, kind="stable")
    if not (in_order[1:] == in_order[:-1]).any():
        return is_candidate
    order = np.argsort(candidates, kind="stable")
    is_last = np.append(np.diff(candidates[order]) != 0, True)
    newest = np.zeros(len(numbers), np.bool_)
    newest[np.flatnonzero(is_candidate)[order[is_last]]] = True
    return newest
