"""The vectors of a collection rounded to a byte a number, in which the nearest are found about four times as fast, and
how far that may be wrong: so that whoever looks at some more of them exactly knows that no other one is nearer.

For a vector x and what it is rounded to, x', and a vector searched for, q and q', the cosine x.q differs from x'.q' by
at most |x - x'| |q| + |x'| |q - q'|, as Cauchy and Schwarz say. Knows no numbers and no groups.
"""

from __future__ import annotations

import math
from typing import Any

import faiss
import numpy as np

Array = np.ndarray[Any, Any]
_MOST = 127
_WIDTH = 6.0
"""Numbers of a vector of length 1 that are above so many times their usual size are cut off."""
_MULTIPLE = 64
"""FAISS compares so many bytes at once; with other lengths it compares one by one."""


class RoundedVectors:
    """In the order in which they were added. error: the most by which a cosine with one of them may be wrong, but for
    what the rounding of the other vector does.
    """

    def __init__(self, dimension: int) -> None:
        padded = -(-dimension // _MULTIPLE) * _MULTIPLE
        self._padding = padded - dimension
        self._scale = _MOST * math.sqrt(dimension) / _WIDTH
        kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
        self._index: Any = faiss.IndexScalarQuantizer(padded, kind, faiss.METRIC_INNER_PRODUCT)
        self.error = 0.0

    def add(self, vectors: Array) -> None:
        """vectors: [n, dimension], float32, of length 1."""
        rounded, errors = self._rounded(vectors)
        self._index.add(rounded)
        self.error = max(self.error, float(errors.max(initial=0.0)))

    def remove(self, rows: Array) -> None:
        self._index.remove_ids(rows)

    def nearest(self, vector: Array, limit: int, params: Any) -> tuple[Array, float]:
        """The rows of about the nearest, and a cosine that no other one exceeds. vector: [dimension], float32. limit:
        at most how many there are. params: of a search of FAISS.
        """
        rounded, [error] = self._rounded(vector[None])
        products, rows = self._index.search(rounded, limit, params=params)
        return rows[0], float(products[0, -1]) / self._scale**2 + self.error + (1 + self.error) * float(error)

    def _rounded(self, vectors: Array) -> tuple[Array, Array]:
        """[n, padded], whole numbers as float32, and how far each is from the vector: [n]."""
        rounded = np.rint(vectors * np.float32(self._scale)).clip(-_MOST, _MOST).astype(np.float32)
        errors = np.linalg.norm(vectors - rounded / self._scale, axis=1)
        return np.pad(rounded, ((0, 0), (0, self._padding))) if self._padding else rounded, errors
