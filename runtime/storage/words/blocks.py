"""Postings, which texts have a word and how often, and their form in the database: blocks of consecutive words.

    head   word count, and bytes of the words    2 x uint32
    words  0xFF word 0xFF word 0xFF ...          UTF-8, sorted; no character has the byte 0xFF
    ends   of each word's postings               uint32, counted from the block's first one
    texts  ...                                   uint16, the place of a text in its segment
    times  ...                                   uint8, how often the text has the word

A search reads one block for each word and segment, and finds the word in it without unpacking the others.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MOST_TIMES = 255
"""More occurrences of a word in one text count as so many: BM25 hardly tells them apart."""
_BYTES = 8192
"""Of a block, about. Smaller ones are more rows; of larger ones, a search reads more that it does not need."""
_HEAD = struct.Struct("<II")
_MARK = b"\xff"
_POSTING_BYTES, _WORD_BYTES = 3, 5


@dataclass(frozen=True, slots=True)
class Postings:
    """words: sorted, in UTF-8. counts: [words], how many texts have each. texts, times: [postings], word after word,
    the texts of each in ascending order.
    """

    words: Sequence[bytes]
    counts: NDArray[np.uint32]
    texts: NDArray[np.uint16]
    times: NDArray[np.uint8]


_NONE = Postings([], np.empty(0, np.uint32), np.empty(0, np.uint16), np.empty(0, np.uint8))


def as_bytes(word: str) -> bytes:
    """A word as blocks have it, whatever characters are in it."""
    return word.encode("utf-8", "surrogatepass")


def joined(words: Sequence[bytes]) -> bytes:
    """Words as one text: each between marks. Of none: nothing."""
    return _MARK + _MARK.join(words) + _MARK if words else b""


def split(text: bytes) -> list[bytes]:
    """The words of a text that `joined` made."""
    return text[1:-1].split(_MARK) if text else []


def packed(postings: Postings) -> Iterator[tuple[bytes, bytes]]:
    """The blocks of postings, each with its first word; none where there are no words."""
    if not postings.words:
        return
    ends = np.cumsum(postings.counts, dtype=np.int64)
    lengths = np.fromiter(map(len, postings.words), np.int64, len(postings.words))
    sizes = postings.counts * _POSTING_BYTES + lengths + _WORD_BYTES
    windows = (np.cumsum(sizes) - sizes) // _BYTES
    bounds = [0, *(np.flatnonzero(np.diff(windows)) + 1).tolist(), len(postings.words)]
    for first, last in pairwise(bounds):
        words = joined(postings.words[first:last])
        begin = int(ends[first - 1]) if first else 0
        part = slice(begin, int(ends[last - 1]))
        yield (
            postings.words[first],
            b"".join(
                (
                    _HEAD.pack(last - first, len(words)),
                    words,
                    (ends[first:last] - begin).astype("<u4").tobytes(),
                    postings.texts[part].astype("<u2").tobytes(),
                    postings.times[part].tobytes(),
                )
            ),
        )


def unpacked(blocks: Sequence[bytes]) -> Postings:
    """The postings of consecutive blocks."""
    parts = [_NONE, *map(_unpacked, blocks)]
    return Postings(
        [word for part in parts for word in part.words],
        np.concatenate([part.counts for part in parts]),
        np.concatenate([part.texts for part in parts]),
        np.concatenate([part.times for part in parts]),
    )


def find(block: bytes, word: bytes) -> tuple[NDArray[np.uint16], NDArray[np.uint8]] | None:
    """The texts that have a word, and how often each has it; None if the block is without it."""
    count, length = _HEAD.unpack_from(block)
    ends_at = _HEAD.size + length
    at = block.find(_MARK + word + _MARK, _HEAD.size, ends_at)
    if at < 0:
        return None
    place = block.count(_MARK, _HEAD.size, at)
    ends = np.frombuffer(block, "<u4", count, ends_at)
    begin = int(ends[place - 1]) if place else 0
    found, total = int(ends[place]) - begin, int(ends[-1])
    texts_at = ends_at + ends.nbytes
    texts = np.frombuffer(block, "<u2", found, texts_at + 2 * begin)
    return texts, np.frombuffer(block, np.uint8, found, texts_at + 2 * total + begin)


def _unpacked(block: bytes) -> Postings:
    count, length = _HEAD.unpack_from(block)
    ends_at = _HEAD.size + length
    ends = np.frombuffer(block, "<u4", count, ends_at)
    total, texts_at = int(ends[-1]), ends_at + ends.nbytes
    return Postings(
        split(block[_HEAD.size : ends_at]),
        np.diff(ends, prepend=ends.dtype.type(0)),
        np.frombuffer(block, "<u2", total, texts_at),
        np.frombuffer(block, np.uint8, total, texts_at + 2 * total),
    )
