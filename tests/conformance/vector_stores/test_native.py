"""Chunks that are inserted as they are: found at once, replaced by their id, and refused where they do not fit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.conformance.upstream import EMBEDDING_MODEL
from tests.conformance.vector_stores.asking import Asking
from tests.support.word_models import DIMENSION, Models, vector_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
INSERT, QUERY = "/v1/vector-io/insert", "/v1/vector-io/query"


def chunk(text: str, document: str = "d", **facts: Any) -> dict[str, Any]:
    return {"content": text, "metadata": {"document_id": document}, **facts}


def texts(chunks: list[Any]) -> list[str]:
    return sorted(one["content"] for one in chunks)


async def test_a_chunk_comes_back_as_it_was_inserted(stores: Asking) -> None:
    store = await stores.store()
    about = {"document_id": "llamas", "source": "llamas.md", "chunk_window": "0-7", "content_token_count": 4}
    given = {
        "content": [{"type": "text", "text": "A llama \N{LLAMA} grazes."}], "chunk_id": "c-1",
        "metadata": {"document_id": "llamas", "page": 3, "tags": ["a", "b"]}, "chunk_metadata": about,
    }  # fmt: skip
    await stores.insert(store, given)
    body = {"vector_store_id": store, "query": "llama grazes", "params": {"include_embeddings": True}}
    found = await stores.done("POST", QUERY, body)
    [one] = found["chunks"]
    assert one == one | {
        "content": "A llama \N{LLAMA} grazes.", "chunk_id": "c-1", "metadata": given["metadata"],
        "embedding_model": EMBEDDING_MODEL, "embedding_dimension": DIMENSION,
    }  # fmt: skip
    assert one["chunk_metadata"] == one["chunk_metadata"] | about
    assert one["embedding"] == pytest.approx(vector_of(one["content"], DIMENSION).tolist(), abs=1e-3)
    assert found["scores"] == pytest.approx([1 * found["scores"][0]]) and 0 < found["scores"][0] <= 1
    older = await stores.done("POST", QUERY, {"vector_db_id": store, "query": "llama", "params": {"k": 1}})
    assert older["chunks"][0]["embedding"] is None


async def test_its_own_vector_is_kept(stores: Asking, models: Models) -> None:
    store = await stores.store()
    before = len(models.embedded())
    vector = (3 * vector_of("something else", DIMENSION)).tolist()
    await stores.insert(store, chunk("A llama grazes.", embedding=vector, embedding_dimension=DIMENSION))
    assert models.embedded()[before:] == []
    [found] = await stores.query(store, "something else", include_embeddings=True)
    assert found["embedding"] == pytest.approx(vector_of("something else", DIMENSION).tolist(), abs=1e-3)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"embedding": [1.0, 2.0]}, "dimension_mismatch"),
        ({"embedding": [1.0] * DIMENSION, "embedding_model": "another"}, "embedding_model_mismatch"),
        ({"embedding": [1.0] * DIMENSION, "embedding_dimension": 3}, None),
        ({"embedding": ["a"]}, None),
        ({"embedding": [1e300] * DIMENSION}, "invalid_embedding"),
        ({"metadata": {"document_id": {"a": 1}}}, None),
    ],
)
async def test_a_chunk_that_does_not_fit_leaves_nothing(
    stores: Asking, facts: dict[str, Any], code: str | None
) -> None:
    store = await stores.store()
    chunks = [chunk("A llama grazes."), chunk("An owl hunts.", **facts)]
    error = await stores.refused(400, "POST", INSERT, {"vector_store_id": store, "chunks": chunks})
    assert error["code"] == code or code is None
    assert error["param"].startswith("chunks")
    assert await stores.query(store, "llama") == []
    assert await stores.rows_of(store) == []


async def test_a_vector_of_zeros_is_near_nothing(stores: Asking) -> None:
    store = await stores.store()
    await stores.insert(store, chunk("A llama grazes."), chunk("An owl hunts.", embedding=[0.0] * DIMENSION))
    assert texts(await stores.query(store, "owl")) == ["A llama grazes."]
    assert "An owl hunts." in texts(await stores.query(store, "owl", mode="keyword"))
    await stores.insert(store, chunk("A bat sleeps.", embedding=[1e-30] * DIMENSION))
    assert texts(await stores.query(store, "owl")) == ["A bat sleeps.", "A llama grazes."]


async def test_a_chunk_takes_the_place_of_the_one_with_its_id(stores: Asking) -> None:
    store = await stores.store()
    await stores.insert(store, *(chunk(f"llama number {n}", chunk_id=f"c{n}") for n in range(4)))
    await stores.insert(store, chunk("llama number one, newer", "other", chunk_id="c1"))
    for mode in ("vector", "keyword", "hybrid"):
        found = await stores.query(store, "llama number", max_chunks=10, mode=mode)
        assert texts(found) == ["llama number 0", "llama number 2", "llama number 3", "llama number one, newer"], mode
    again = [chunk(f"owl {n}", chunk_id=f"c{n}", metadata={"document_id": "d", "n": n}) for n in range(4)]
    await stores.insert(store, *again)
    for mode in ("vector", "keyword", "hybrid"):
        found = await stores.query(store, "owl llama number", max_chunks=10, mode=mode)
        assert texts(found) == [f"owl {n}" for n in range(4)], mode
    await stores.removed()
    assert texts(await stores.query(store, "owl", max_chunks=10)) == [f"owl {n}" for n in range(4)]


async def test_replaced_chunks_take_no_hit_away(stores: Asking) -> None:
    store = await stores.store()
    await stores.insert(store, *(chunk(f"llama {n}", chunk_id=f"c{n}") for n in range(40)))
    for turn in range(1, 4):
        await stores.insert(store, *(chunk(f"llama {n}", f"turn {turn}", chunk_id=f"c{n}") for n in range(30)))
        for mode in ("vector", "keyword", "hybrid"):
            found = await stores.query(store, "llama", max_chunks=40, mode=mode)
            assert len({one["chunk_id"] for one in found}) == len(found) == 40, mode


async def test_the_same_text_of_a_document_is_there_once(stores: Asking) -> None:
    store = await stores.store()
    for _ in range(3):
        await stores.insert(store, chunk("A llama grazes."), chunk("A llama grazes."), chunk("A llama grazes.", "e"))
    found = await stores.query(store, "llama", max_chunks=10)
    assert sorted(one["metadata"]["document_id"] for one in found) == ["d", "e"]
    assert len({one["chunk_id"] for one in found}) == 2


async def test_nothing_to_insert_changes_nothing(stores: Asking) -> None:
    store = await stores.store()
    await stores.insert(store)
    assert await stores.query(store, "llama") == []
    error = await stores.refused(404, "POST", INSERT, {"vector_store_id": "vs_none", "chunks": []})
    assert "vs_none" in error["message"]
    await stores.refused(404, "POST", QUERY, {"vector_store_id": "vs_none", "query": "x"})


async def test_ten_thousand_chunks_are_found_among_each_other(stores: Asking) -> None:
    store = await stores.store()
    given = [
        chunk(f"text {n}", f"d{n % 100}", chunk_id=f"c{n}", embedding=vector_of(f"text {n}", DIMENSION).tolist())
        for n in range(10_000)
    ]
    for at in range(0, len(given), 2500):
        await stores.insert(store, *given[at : at + 2500])
    for n in (0, 4321, 9999):
        found = await stores.query(store, f"text {n}", max_chunks=1)
        assert found[0]["chunk_id"] == f"c{n}"
        found = await stores.query(store, f"{n}", max_chunks=1, mode="keyword")
        assert found[0]["chunk_id"] == f"c{n}"
    where = {"type": "eq", "key": "document_id", "value": "d7"}
    found = await stores.query(store, "text", max_chunks=1000, filters=where)
    assert sorted(one["chunk_id"] for one in found) == sorted(f"c{n}" for n in range(7, 10_000, 100))


async def test_many_insert_and_search_at_once(stores: Asking) -> None:
    store = await stores.store()

    async def insert(number: int) -> None:
        for turn in range(3):
            await stores.insert(store, chunk(f"llama {number} {turn}", f"d{number}", chunk_id=f"c{number}"))
            found = await stores.query(store, "llama", max_chunks=100)
            mine = [one["content"] for one in found if one["chunk_id"] == f"c{number}"]
            assert mine == [f"llama {number} {turn}"]

    await asyncio.gather(*map(insert, range(12)))
    assert texts(await stores.query(store, "llama", max_chunks=100)) == sorted(f"llama {n} 2" for n in range(12))


async def test_very_many_change_one_store_at_once(stores: Asking) -> None:
    store = await stores.store()
    given = {"embedding": [1.0] + [0.0] * (DIMENSION - 1)}
    await asyncio.gather(*(stores.insert(store, {"content": f"llama{number}", **given}) for number in range(200)))
    found = await stores.query(store, "llama", mode="vector", max_chunks=300)
    assert len({chunk["content"] for chunk in found}) == 200


async def test_the_same_chunk_from_many_at_once_is_there_once(stores: Asking) -> None:
    store = await stores.store()
    await asyncio.gather(
        *(stores.insert(store, chunk(f"llama version {n}", f"d{n}", chunk_id="one")) for n in range(10))
    )
    for mode in ("vector", "keyword", "hybrid"):
        assert len(await stores.query(store, "llama version", max_chunks=100, mode=mode)) == 1, mode


@pytest.mark.parametrize("size", [1e-30, 1e38])
async def test_how_long_a_vector_is_does_not_count(stores: Asking, size: float) -> None:
    store = await stores.store()
    await stores.insert(store, chunk("A llama grazes.", embedding=[size] * DIMENSION))
    [found] = await stores.query(store, "llama", include_embeddings=True)
    assert sum(number**2 for number in found["embedding"]) == pytest.approx(1)


async def test_a_time_that_no_clock_reaches_is_refused(stores: Asking) -> None:
    store = await stores.store()
    body = {"vector_store_id": store, "chunks": [chunk("A llama grazes.")], "ttl_seconds": 10**30}
    assert (await stores.refused(400, "POST", INSERT, body))["param"] == "ttl_seconds"
