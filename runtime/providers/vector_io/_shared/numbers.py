"""Vectors as lists of numbers, for JSON and for texts, and back."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator

from runtime.providers.vector_io._shared.errors import FLOAT_BYTES


def listed(vector: bytes) -> list[float]:
    """vector: little-endian float32."""
    values = array("f", vector)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()


def packed(vector: Iterable[float]) -> bytes:
    """Little-endian float32."""
    values = array("f", vector)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def rows_of(vectors: bytes, dimension: int) -> Iterator[list[float]]:
    """Each vector of several."""
    size = dimension * FLOAT_BYTES
    for at in range(0, len(vectors), size):
        yield listed(vectors[at : at + size])
