"""The vector database of replays, asked as the others are."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.conformance.vector_io.asking import Asked, drawn, nearest, numbered
from runtime.conformance.vector_io.subject import Opened
from runtime.errors import Conflict, NotFound, RequestError
from runtime.http.client import HttpClient
from runtime.recording.exact_vectors import ExactVectors


@pytest.fixture
def vectors() -> Asked:
    return Asked(Opened(ExactVectors(None, None), HttpClient("replay")))


async def test_a_search_finds_what_is_nearest(vectors: Asked) -> None:
    numbers, rows = [*numbered(0, 60), *numbered(3, 60)], drawn(120, 8)
    await vectors.create(8)
    await vectors.put(numbers, rows)
    wanted: Any = drawn(1, 8, seed=7)[0]
    found, right = await vectors.search(wanted, limit=9), nearest(numbers, rows, wanted, 9)
    assert list(found.numbers) == list(right.numbers)
    assert found.similarities == pytest.approx(right.similarities, abs=1e-5)


async def test_groups_are_searched_and_removed_alone(vectors: Asked) -> None:
    await vectors.create(8)
    await vectors.put([*numbered(0, 5), *numbered(1, 5)], drawn(10, 8))
    wanted: Any = drawn(1, 8, seed=7)[0]
    assert set((await vectors.search(wanted, limit=20, groups=[1])).numbers) == set(numbered(1, 5))
    await vectors.remove(1)
    assert set((await vectors.search(wanted, limit=20)).numbers) == set(numbered(0, 5))
    there, data = await vectors.read([*numbered(1, 1), *numbered(0, 2)])
    assert there == numbered(0, 2) and len(data) == 2 * 8 * 4


async def test_what_does_not_fit_is_refused(vectors: Asked) -> None:
    with pytest.raises(NotFound):
        await vectors.search(drawn(1, 8)[0], limit=1)
    await asyncio.gather(vectors.create(8), vectors.create(8))
    with pytest.raises(Conflict):
        await vectors.create(9)
    with pytest.raises(RequestError):
        await vectors.put([1], drawn(2, 8))
    with pytest.raises(RequestError):
        await vectors.put([1], drawn(1, 7))
    await vectors.drop()
    with pytest.raises(NotFound):
        await vectors.read([1])
