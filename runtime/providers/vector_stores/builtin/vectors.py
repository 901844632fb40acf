"""Vectors as bytes, and exact search in a few of them. The only place here that does arithmetic with vectors. Each
function imports numpy itself, since a start goes without it: it takes 0.1 s.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runtime.apis.vector_io.protocol import Hits, Vectors
from runtime.errors import RequestError

if TYPE_CHECKING:
    import numpy as np

BYTES_PER_NUMBER = 4


def decoded(embeddings: Sequence[str | Sequence[float]]) -> bytes:
    """Embeddings as an embeddings answer has them (base64 of float32, or numbers), as `PutVectors` wants them: each of
    length 1, but for those of nothing but zeros, which stay so. Raises RequestError for numbers that are none, and for
    vectors of several dimensions.
    """
    import numpy as np

    rows = [np.frombuffer(base64.b64decode(one), "<f4") if isinstance(one, str) else one for one in embeddings]
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, which is refused below
            found = np.asarray(rows, dtype=np.float32)
    except (ValueError, TypeError):
        raise RequestError("The embeddings do not all have as many numbers", code="dimension_mismatch") from None
    if found.ndim != 2 or not np.isfinite(found).all():
        raise RequestError("An embedding holds what is no number", code="invalid_embedding")
    squares = np.einsum("ij,ij->i", found, found, dtype=np.float64)  # those of large and small numbers are no float32
    lengths = np.sqrt(np.where(squares > 0, squares, 1))[:, None]
    return (found / lengths).astype("<f4").tobytes()


def with_direction(numbers: Sequence[int], vectors: bytes, dimension: int) -> tuple[list[int], bytes]:
    """Those vectors that are not all zeros, which are near nothing. numbers: one for each."""
    import numpy as np

    rows = np.frombuffer(vectors, "<f4").reshape(-1, dimension)
    kept = np.flatnonzero(rows.any(axis=1))
    return [numbers[at] for at in kept.tolist()], rows[kept].tobytes()


def has_direction(vector: bytes) -> bool:
    """Whether it is not all zeros."""
    import numpy as np

    return bool(np.frombuffer(vector, "<f4").any())


def nearest(vector: bytes, among: Sequence[Vectors], limit: int) -> Hits:
    """The exact hits among these vectors. vector: of their dimension."""
    import numpy as np

    wanted = np.frombuffer(vector, "<f4")
    numbers = np.array([number for one in among for number in one.numbers], dtype=np.int64)
    if not len(numbers):
        return Hits((), ())
    products = [np.einsum("ij,j->i", _rows(one, len(wanted)), wanted) for one in among]  # `@` wakes threads for it
    similarities = np.concatenate(products)
    best = np.lexsort((numbers, -similarities))[:limit]
    return Hits(numbers[best].tolist(), similarities[best].clip(-1, 1).tolist())


def _rows(vectors: Vectors, dimension: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    import numpy as np

    return np.frombuffer(vectors.vectors, "<f4").reshape(-1, dimension)


def numbers_in(vectors: bytes, dimension: int) -> list[list[float]]:
    """Vectors as lists of numbers."""
    import numpy as np

    found: list[list[float]] = np.frombuffer(vectors, "<f4").reshape(-1, dimension).tolist()
    return found
