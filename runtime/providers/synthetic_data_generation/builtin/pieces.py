"""How alike two texts are, by the pieces of three characters that they have.

The Jaccard similarity of their sets of pieces. Of long texts it is estimated from the smallest hashes of each (A. Z.
Broder: On the resemblance and containment of documents, 1997), of which a few hundred say it to some hundredths.
"""

from __future__ import annotations

import heapq
from hashlib import blake2b

_LENGTH = 3
_MOST = 256
"""Hashes of a text: one with fewer pieces is compared exactly."""

Sketch = frozenset[int]


def plain(text: str) -> str:
    """Without what makes copies look different: case, and how much space there is."""
    return " ".join(text.casefold().split())


def sketch_of(text: str) -> Sketch:
    """The smallest hashes of the pieces of a plain text; a shorter one is a piece itself."""
    pieces = {text[at : at + _LENGTH] for at in range(max(1, len(text) - _LENGTH + 1))}
    hashes = (int.from_bytes(blake2b(piece.encode(errors="replace"), digest_size=8).digest()) for piece in pieces)
    return frozenset(heapq.nsmallest(_MOST, hashes))


def most_similarity(one: Sketch, other: Sketch) -> float:
    """What their similarity is at most, much faster than that itself. Neither is empty."""
    return len(one & other) / max(len(one), len(other))


def similarity(one: Sketch, other: Sketch) -> float:
    """From 0 to 1. Neither is empty."""
    together, shared = one | other, one & other
    if len(one) == _MOST or len(other) == _MOST:
        together = frozenset(heapq.nsmallest(_MOST, together))
        shared &= together
    return len(shared) / len(together)
