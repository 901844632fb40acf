"""Segments: some texts with their postings. How they are made of new texts or of other segments, and which should be
merged. Knows no database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from runtime.storage.words.blocks import MOST_TIMES, Postings, as_bytes

LARGEST = 1 << 20
"""The size of a segment that is not merged into a larger one: about 8000 texts of 150 words, 4 MB. A search reads less
of few large ones; a merge into them takes 0.3 s in a thread.
"""
_TEXT_SIZE = 16
"""What a text costs beside its postings, of which each costs 1: so that it has at most 2**16 texts."""
_TEXT_BITS = 16
_MOST_TEXTS = 1 << _TEXT_BITS
_LEVEL_BITS = 3
_AT_ONCE = 1 << _LEVEL_BITS
"""Segments of one level that are merged, into one of the next level."""


@dataclass(frozen=True, slots=True)
class NewSegment:
    """numbers: [texts], int64; lengths: [texts], in words, int32."""

    numbers: NDArray[np.int64]
    lengths: NDArray[np.int32]
    postings: Postings

    @property
    def size(self) -> int:
        return len(self.numbers) * _TEXT_SIZE + len(self.postings.texts)


def made_of(entries: Iterable[tuple[int, Sequence[str]]]) -> Iterator[NewSegment]:
    """The segments of new texts: numbers, none of them twice, with words."""
    part: list[tuple[int, Sequence[str]]] = []
    size = 0
    for number, words in entries:
        own_size = _TEXT_SIZE + len(words)
        if part and size + own_size > LARGEST:
            yield _made(part)
            part, size = [], 0
        part.append((number, words))
        size += own_size
    if part:
        yield _made(part)


def merged(sources: Sequence[tuple[NewSegment, NDArray[np.bool_]]]) -> NewSegment | None:
    """One segment of several: of each the texts that are marked, [texts]. None if no text is."""
    in_order = sorted(chain.from_iterable(source.postings.words for source, _ in sources))  # quick: few sorted runs
    words = list(dict.fromkeys(in_order))
    place_of = {word: place for place, word in enumerate(words)}
    numbers, lengths, places, texts, times = [], [], [], [], []
    count = 0
    for source, is_kept in sources:
        postings = source.postings
        of_words = np.fromiter(map(place_of.__getitem__, postings.words), np.uint32, len(postings.words))
        chosen = is_kept[postings.texts]
        places.append(np.repeat(of_words, postings.counts)[chosen])
        texts.append((np.cumsum(is_kept) - 1 + count)[postings.texts[chosen]].astype(np.uint16))
        times.append(postings.times[chosen])
        numbers.append(source.numbers[is_kept])
        lengths.append(source.lengths[is_kept])
        count += len(numbers[-1])
    if not count:
        return None
    of_each = np.concatenate(places)
    order = np.argsort(of_each, kind="stable")
    counts = np.bincount(of_each, minlength=len(words)).astype(np.uint32)
    postings = Postings(
        [word for word, times_found in zip(words, counts.tolist(), strict=True) if times_found],
        counts[counts > 0],
        np.concatenate(texts)[order],
        np.concatenate(times)[order],
    )
    return NewSegment(np.concatenate(numbers), np.concatenate(lengths), postings)


@dataclass(frozen=True, kw_only=True, slots=True)
class Weight:
    """What is known of a segment before it is read. size: its own; texts: how many it has; live: of these, how many are
    not removed.
    """

    id: int
    size: int
    texts: int
    live: int

    @property
    def live_size(self) -> int:
        return self.size * self.live // self.texts


def due(weights: Iterable[Weight]) -> list[int]:
    """The ids of segments that should be merged into one now; none for nothing to do."""
    levels: defaultdict[int, list[Weight]] = defaultdict(list)
    hollow: list[Weight] = []
    for weight in weights:
        if weight.live * 2 < weight.texts:
            hollow.append(weight)
        elif weight.live_size <= LARGEST // 2:
            levels[weight.live_size.bit_length() // _LEVEL_BITS].append(weight)
    if hollow:
        return [weight.id for weight in _that_fit(hollow)]
    for _, level in sorted(levels.items()):
        if len(level) >= _AT_ONCE:
            return [weight.id for weight in _that_fit(level)]
    return []


def _that_fit(weights: Iterable[Weight]) -> Iterator[Weight]:
    size = texts = 0
    for weight in sorted(weights, key=lambda one: one.live_size):
        size, texts = size + weight.live_size, texts + weight.live
        if (size > LARGEST or texts > _MOST_TEXTS) and size > weight.live_size:
            return
        yield weight


def _made(entries: Sequence[tuple[int, Sequence[str]]]) -> NewSegment:
    lengths = np.fromiter((len(words) for _, words in entries), np.int32, len(entries))
    flat = list(chain.from_iterable(words for _, words in entries))
    vocabulary = sorted(set(flat))  # strings have the order that their UTF-8 has
    place_of = {word: place for place, word in enumerate(vocabulary)}
    of_words = np.fromiter(map(place_of.__getitem__, flat), np.int64, len(flat))
    of_texts = np.repeat(np.arange(len(entries)), lengths)
    found, times = np.unique(of_words << _TEXT_BITS | of_texts, return_counts=True)
    postings = Postings(
        [as_bytes(word) for word in vocabulary],
        np.bincount(found >> _TEXT_BITS, minlength=len(vocabulary)).astype(np.uint32),
        (found & (_MOST_TEXTS - 1)).astype(np.uint16),
        np.minimum(times, MOST_TIMES).astype(np.uint8),
    )
    return NewSegment(np.array([number for number, _ in entries], np.int64), lengths, postings)
