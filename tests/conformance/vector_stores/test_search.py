"""What a search finds, in which order, and why: modes, fusion, reranking, thresholds, several queries."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL, refusal
from tests.conformance.vector_stores.asking import Asking
from tests.support.vector_stores import STORES
from tests.support.word_models import DIMENSION, LARGE_DIMENSION, LARGE_EMBEDDING_MODEL, Models, vector_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXTS = {
    "llama": "llama llama llama grazes",
    "meadow": "a llama grazes on the green meadow",
    "owl": "an owl hunts at night",
    "get": "the function get_user_name returns the name of a user",
    "ship": "a ship sails over the ocean at night",
    "rare": "zyzzyva is the last word of the dictionary and this sentence goes on for quite a while after that",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(stores: Asking) -> str:
    store = await stores.store()
    await stores.insert(store, *({"content": text, "metadata": {"document_id": name}} for name, text in TEXTS.items()))
    return store


def by_vector(query: str) -> list[str]:
    """The documents as an exact search by vectors has them, best first."""
    wanted = vector_of(query, DIMENSION)
    return sorted(TEXTS, key=lambda name: -float(vector_of(TEXTS[name], DIMENSION) @ wanted))


async def test_vectors_find_the_nearest_first(stores: Asking, filled: str) -> None:
    for query in ("a llama on a meadow", "the name of a user", "night"):
        assert await stores.files_found(filled, query, search_mode="vector") == by_vector(query)
        assert await stores.files_found(filled, query, max_num_results=2) == by_vector(query)[:2], "the default mode"


async def test_words_find_what_has_any_of_them_the_rarest_first(stores: Asking, filled: str) -> None:
    words = {"search_mode": "keyword"}
    assert await stores.files_found(filled, "zyzzyvas", **words) == ["rare"]
    assert await stores.files_found(filled, "getUserName", **words) == ["get"]
    assert await stores.files_found(filled, "user name", **words) == ["get"]
    assert (await stores.files_found(filled, "hunting at night", **words))[0] == "owl"
    assert set(await stores.files_found(filled, "night meadow", **words)) == {"owl", "ship", "meadow"}
    assert await stores.files_found(filled, "nothing of that", **words) == []
    assert await stores.files_found(filled, '"AND OR NOT ( * NEAR"', **words) == []


async def test_both_together_rank_by_places(stores: Asking, filled: str) -> None:
    query, factor = "zyzzyva llama", 10
    asked = {"search_mode": "hybrid", "explain": True, "ranking_options": {"ranker": "rrf", "impact_factor": factor}}
    hits = await stores.search(filled, query, **asked)
    assert len(hits) == len(TEXTS)
    for place, hit in enumerate(hits, start=1):
        why = hit["explanation"]
        found = [why[name]["position"] for name in ("vector", "keyword") if why[name]]
        score = sum(0.5 / (factor + position) for position in found) / (1 / (factor + 1))
        assert hit["score"] == pytest.approx(score)
        assert why["fused"] == {"position": place, "score": hit["score"]} and why["rerank"] is None
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)


async def test_scores_are_weighted_as_they_are_or_between_the_lowest_and_the_highest(
    stores: Asking, filled: str
) -> None:
    query = "llama at night"

    async def hits(mode: str = "hybrid", **options: Any) -> dict[str, float]:
        found = await stores.search(filled, query, search_mode=mode, ranking_options=options or None)
        return {hit["file_id"]: hit["score"] for hit in found}

    vector, keyword = await hits("vector"), await hits("keyword")
    as_they_are = await hits(ranker="normalized", alpha=0.3)
    assert as_they_are == pytest.approx(
        {name: 0.3 * vector[name] + 0.7 * keyword.get(name, 0) for name in vector}, abs=1e-4
    )

    def stretched(scores: dict[str, float]) -> dict[str, float]:
        low, high = min(scores.values()), max(scores.values())
        return {name: (score - low) / (high - low) for name, score in scores.items()}

    between = await hits(ranker="weighted", alpha=0.3)
    wanted = {name: 0.3 * stretched(vector)[name] + 0.7 * stretched(keyword).get(name, 0) for name in vector}
    assert between == pytest.approx(wanted, abs=1e-2)
    near = [name for name, score in vector.items() if score]
    assert [*await hits(ranker="weighted", alpha=1)][: len(near)] == near
    assert await hits(weights={"vector": 3, "keyword": 7}, ranker="normalized") == pytest.approx(as_they_are)


async def test_weights_say_what_is_searched(stores: Asking, filled: str) -> None:
    async def places(**weights: float) -> set[str]:
        options = {"weights": weights}
        [hit, *_] = await stores.search(filled, "zyzzyva", explain=True, ranking_options=options)
        return {name for name, place in hit["explanation"].items() if place and name != "query"}

    assert await places(vector=1, keyword=1) == {"vector", "keyword", "fused"}
    assert await places(keyword=1) == {"keyword"}
    assert await places(vector=1) == {"vector"}
    assert await places(vector=1, neural=1) == {"vector", "rerank"}
    hybrid = {"hybrid_search": {"embedding_weight": 0, "text_weight": 1}}
    [hit] = await stores.search(filled, "zyzzyva", explain=True, ranking_options=hybrid, max_num_results=1)
    assert hit["file_id"] == "rare" and hit["explanation"]["fused"]["position"] == 1


async def test_a_reranking_model_puts_hits_in_order(stores: Asking, filled: str) -> None:
    query = "ship at night over ocean"
    options = {"ranker": "neural", "model": RERANK_MODEL}
    hits = await stores.search(filled, query, explain=True, ranking_options=options, max_num_results=3)
    assert [hit["file_id"] for hit in hits][:2] == ["ship", "owl"]
    assert [hit["score"] for hit in hits][:2] == pytest.approx([1.0, 0.4])
    assert [hit["explanation"]["rerank"]["position"] for hit in hits] == [1, 2, 3]
    assert hits[0]["explanation"]["vector"]["position"] >= 1
    for ranker in ("auto", "default-2024-11-15", "neural"):
        found = await stores.search(filled, query, explain=True, ranking_options={"ranker": ranker})
        assert found[0]["explanation"]["rerank"]["position"] == 1
    for ranker in ("none", "rrf"):
        found = await stores.search(filled, query, explain=True, ranking_options={"ranker": ranker})
        assert all(hit["explanation"]["rerank"] is None for hit in found)
    half = {"weights": {"vector": 1, "neural": 1}}
    for hit in await stores.search(filled, query, explain=True, ranking_options=half):
        why = hit["explanation"]
        assert hit["score"] == pytest.approx((max(why["vector"]["score"], 0) + why["rerank"]["score"]) / 2, abs=1e-6)


async def test_a_reranker_that_is_down_fails_only_who_wants_it(stores: Asking, models: Models, filled: str) -> None:
    async def is_down(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/rerank"):
            return refusal(400, "no reranking today")
        return await models._answer(request, await request.read())

    models.misbehaves = is_down
    try:
        path = f"{STORES}/{filled}/search"
        auto = await stores.ask("POST", path, {"query": "llama", "ranking_options": {"ranker": "auto"}})
        wanted = await stores.ask("POST", path, {"query": "llama", "ranking_options": {"ranker": "neural"}})
    finally:
        models.misbehaves = None
    assert auto.status == 200 and len(auto.json()["data"]) == len(TEXTS)
    assert "no reranking today" in auto.headers["x-llama-warnings"]
    assert wanted.status == 400 and "no reranking today" in wanted.error["message"]


async def test_logits_are_shown_between_0_and_1_in_their_order(stores: Asking, models: Models, filled: str) -> None:
    async def logits(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if not request.path.endswith("/rerank"):
            return await models._answer(request, await request.read())
        results = [{"index": at, "relevance_score": 3.0 - 2 * at} for at in range(len(body["documents"]))]
        return web.json_response({"id": "r", "model": body["model"], "results": results, "usage": {"total_tokens": 1}})

    models.misbehaves = logits
    try:
        hits = await stores.search(filled, "llama", ranking_options={"ranker": "neural"}, explain=True)
    finally:
        models.misbehaves = None
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True) and 0 < scores[-1] < scores[0] < 1
    assert hits[0]["explanation"]["rerank"]["score"] == 3.0


async def test_a_threshold_leaves_the_rest_out(stores: Asking, filled: str) -> None:
    for mode in ("vector", "keyword", "hybrid"):
        every = await stores.search(filled, "llama meadow", search_mode=mode)
        least = every[1]["score"]
        kept = await stores.search(
            filled, "llama meadow", search_mode=mode, ranking_options={"ranker": "none", "score_threshold": least}
        )
        assert [hit["file_id"] for hit in kept] == [hit["file_id"] for hit in every if hit["score"] >= least]


async def test_several_queries_are_put_together_each_chunk_with_its_best(stores: Asking, filled: str) -> None:
    queries = ["zyzzyva dictionary", "an owl hunts"]
    body = {"query": queries, "explain": True, "max_num_results": 2}
    found = await stores.done("POST", f"{STORES}/{filled}/search", body)
    assert found["search_query"] == queries
    assert {hit["file_id"]: hit["explanation"]["query"] for hit in found["data"]} == {
        "rare": queries[0], "owl": queries[1],
    }  # fmt: skip
    single = {hit["file_id"]: hit["score"] for hit in await stores.search(filled, queries[1])}
    assert found["data"][0]["score"] == pytest.approx(single["owl"])


async def test_the_answer_is_openai_s_page(stores: Asking, filled: str) -> None:
    found = await stores.done("POST", f"{STORES}/{filled}/search", {"query": "llama", "max_num_results": 1})
    [hit] = found.pop("data")
    assert found == {
        "object": "vector_store.search_results.page", "search_query": ["llama"], "has_more": False, "next_page": None,
    }  # fmt: skip
    assert hit.keys() == {"file_id", "filename", "score", "attributes", "content"}
    [content] = hit["content"]
    assert (content["type"], content["text"]) == ("text", TEXTS[hit["file_id"]])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"query": ""}, "query"), ({"query": []}, "query"), ({}, "query"),
        ({"query": "x", "max_num_results": 51}, "max_num_results"),
        ({"query": "x", "max_num_results": 0}, "max_num_results"),
        ({"query": "x", "search_mode": "magic"}, "search_mode"),
        ({"query": "x", "ranking_options": {"ranker": "magic"}}, "ranking_options.ranker"),
        ({"query": "x", "ranking_options": {"score_threshold": 2}}, "ranking_options.score_threshold"),
        ({"query": "x", "ranking_options": {"weights": {}}}, "ranking_options.weights"),
        ({"query": "x", "ranking_options": {"weights": {"vector": 1}, "alpha": 0.5}}, "ranking_options"),
        ({"query": "x", "ranking_options": {"ranker": "neural", "model": CHAT_MODEL}}, "ranking_options.model"),
        ({"query": "x", "ranking_options": {"ranker": "neural", "model": "none-such"}}, "ranking_options.model"),
    ],
)  # fmt: skip
async def test_what_cannot_be_searched_is_refused(
    stores: Asking, filled: str, body: dict[str, Any], param: str
) -> None:
    error = await stores.refused(400, "POST", f"{STORES}/{filled}/search", body)
    assert error["param"] == param, error


async def test_a_reranking_model_of_the_native_query_is_named_by_its_field(stores: Asking, filled: str) -> None:
    ranker = {"type": "neural", "model": "none-such"}
    body = {"vector_store_id": filled, "query": "llama", "params": {"ranker": ranker}}
    error = await stores.refused(400, "POST", "/v1/vector-io/query", body)
    assert (error["param"], error["code"]) == ("params.ranker.model", "unknown_reranking_model")


async def test_a_model_that_became_another_is_refused_with_both_names(stores: Asking) -> None:
    model = {"model_id": "mine", "provider_id": "vendor", "model_type": "embedding"}
    small, large = (
        {"provider_model_id": name, "metadata": {"embedding_dimension": dimension}}
        for name, dimension in ((EMBEDDING_MODEL, DIMENSION), (LARGE_EMBEDDING_MODEL, LARGE_DIMENSION))
    )
    await stores.done("POST", "/v1/models", model | small)
    store = await stores.store(embedding_model="mine")
    await stores.attach(store, "A llama grazes.")
    await stores.done("DELETE", "/v1/models/mine")
    error = await stores.refused(400, "POST", f"{STORES}/{store}/search", {"query": "llama"})
    assert error["code"] == "unknown_embedding_model" and "mine" in error["message"]
    await stores.done("POST", "/v1/models", model | large)
    chunk = {"vector_store_id": store, "chunks": [{"content": "x"}]}
    for path, body in (
        (f"{STORES}/{store}/search", {"query": "llama"}),
        ("/v1/vector-io/query", {"vector_store_id": store, "query": "llama"}),
        ("/v1/vector-io/insert", chunk),
    ):
        error = await stores.refused(400, "POST", path, body)
        assert error["code"] == "embedding_model_changed"
        assert f"vendor/{EMBEDDING_MODEL}" in error["message"]
        assert f"vendor/{LARGE_EMBEDDING_MODEL}" in error["message"]
    file_id = await stores.upload("A llama sleeps.")
    await stores.done("POST", f"{STORES}/{store}/files", {"file_id": file_id})
    failed = await stores.ended(store, file_id)
    assert failed["status"] == "failed" and failed["last_error"]["code"] == "server_error"
    assert LARGE_EMBEDDING_MODEL in failed["last_error"]["message"]
    assert len(await stores.search(store, "llama", search_mode="keyword")) == 1
    assert (await stores.reindex(store))["reindexing"]["status"] == "completed"
    assert len(await stores.search(store, "llama")) == 1


async def test_a_model_that_makes_other_vectors_is_refused(stores: Asking, models: Models, filled: str) -> None:
    models.dimensions[EMBEDDING_MODEL] = DIMENSION // 2
    try:
        error = await stores.refused(400, "POST", f"{STORES}/{filled}/search", {"query": "llama"})
    finally:
        models.dimensions[EMBEDDING_MODEL] = DIMENSION
    assert error["code"] == "dimension_mismatch"
    assert f"{DIMENSION // 2}" in error["message"] and f"{DIMENSION}" in error["message"]
