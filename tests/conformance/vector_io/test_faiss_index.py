"""The index of `inline::faiss`: what it finds by rounded vectors is what comparing all of them finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runtime.apis.vector_io.protocol import GROUP_BITS
from runtime.providers.vector_io.faiss.index import FlatIndex
from runtime.providers.vector_io.faiss.rounded import RoundedVectors

ROWS, GROUP_ROWS = 6000, 50
NUMBERS = ((np.arange(ROWS) // GROUP_ROWS) << GROUP_BITS) + np.arange(ROWS) % GROUP_ROWS
Array = np.ndarray[Any, Any]


def unit(vectors: Array) -> Array:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def drawn(kind: str, dimension: int) -> Array:
    """As texts have them; and such as rounding to a byte a number serves badly."""
    vectors = np.random.default_rng(0).standard_normal((ROWS, dimension))
    if kind == "one number is nearly all of it":
        vectors[::7] *= 0.001
        vectors[::7, 0] = 1
    elif kind == "hardly different":
        vectors = 1 + 0.001 * vectors
    elif kind == "equal":
        vectors[:] = vectors[0]
    return unit(vectors)


@pytest.mark.parametrize("dimension", [3, 100, 384])
@pytest.mark.parametrize("kind", ["random", "one number is nearly all of it", "hardly different", "equal"])
def test_the_nearest_are_found_exactly(kind: str, dimension: int) -> None:
    vectors, index = drawn(kind, dimension), FlatIndex(dimension)
    for at in range(0, ROWS, 1000):
        index.put(NUMBERS[at : at + 1000], vectors[at : at + 1000])
    index.remove([1, 100])
    vectors[7:8] = changed = unit(np.ones((1, dimension)))
    index.put(NUMBERS[7:8], changed)
    cosine = {int(number): vector for number, vector in zip(NUMBERS, vectors, strict=True)}
    groups = NUMBERS >> GROUP_BITS
    for asked in [*vectors[[7, 70, 700]], *unit(np.random.default_rng(1).standard_normal((5, dimension)))]:
        for wanted in (None, [*range(0, 120, 2)], [3]):
            is_there = ~np.isin(groups, [1, 100]) & (True if wanted is None else np.isin(groups, wanted))
            best = np.sort((vectors @ asked)[is_there])[::-1]
            for limit in (1, 10, 60):
                numbers, similarities = index.search(asked, limit, wanted)
                few = best[:limit]
                assert np.allclose(similarities, few, atol=2e-6)
                assert len(set(numbers)) == len(few)
                assert np.allclose([cosine[number] @ asked for number in numbers], few, atol=2e-6)


def test_no_cosine_exceeds_the_bound_of_the_rounded_ones() -> None:
    vectors, rounded = drawn("random", 100), RoundedVectors(100)
    rounded.add(vectors)
    for asked in vectors[:50] * np.float32(-0.5) + vectors[50:100]:
        asked = unit(asked[None])[0]
        rows, most = rounded.nearest(asked, 20, None)
        others = np.delete(vectors @ asked, rows)
        assert most - 0.1 < others.max() <= most
