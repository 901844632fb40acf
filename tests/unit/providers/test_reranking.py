"""What a vendor is sent to rerank, and what is made of its answer: every form that there is data for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.apis.inference.protocol import RerankRequest
from runtime.context import RequestContext, serving
from runtime.errors import RequestError
from runtime.providers.inference._openai_compatible.reranking import NotARanking, answer_of, body_of, path_of
from runtime.providers.inference._openai_compatible.rules import Refused, Renamed, ignored
from runtime.providers.inference._openai_compatible.spec import Rerank


def request(**fields: Any) -> RerankRequest:
    return RerankRequest.model_validate({"model": "m", "query": "q", "documents": ["a", "b", "c"], **fields})


def sent(rerank: Rerank, **fields: Any) -> dict[str, Any]:
    return body_of(rerank, request(**fields), provider_id="p")


def indexes(rerank: Rerank, answer: Any, **fields: Any) -> list[int]:
    return [result["index"] for result in answer_of(rerank, request(**fields), answer)["results"]]


@pytest.mark.parametrize(
    ("model", "path"),
    [("m", "../inference/m"), ("Qwen/Qwen3", "../inference/Qwen/Qwen3"), ("a b?c#d", "../inference/a%20b%3Fc%23d")],
)
def test_a_model_may_be_in_the_path(model: str, path: str) -> None:
    assert path_of(Rerank(path="../inference/{model}"), model) == path


@pytest.mark.parametrize("model", ["..", "../../keys", "a/../b", "a/."])
def test_a_model_s_name_stays_in_its_part_of_the_path(model: str) -> None:
    assert path_of(Rerank(), model) == "/rerank"
    with pytest.raises(RequestError) as raised:
        path_of(Rerank(path="../inference/{model}"), model)
    assert raised.value.param == "model"


@pytest.mark.parametrize(
    ("rerank", "expected"),
    [
        (Rerank(), {"model": "m", "query": "q", "documents": ["a", "b", "c"], "top_n": 2}),
        (Rerank(top_n="top_k"), {"model": "m", "query": "q", "documents": ["a", "b", "c"], "top_k": 2}),
        (
            Rerank(query="queries", query_as_list=True, top_n=""),
            {"model": "m", "queries": ["q"], "documents": ["a", "b", "c"]},
        ),
        (
            Rerank(documents="passages", as_objects=True, top_n=""),
            {"model": "m", "query": {"text": "q"}, "passages": [{"text": "a"}, {"text": "b"}, {"text": "c"}]},
        ),
    ],
)
def test_the_vendor_s_own_names_are_sent(rerank: Rerank, expected: dict[str, Any]) -> None:
    assert sent(rerank, top_n=2, return_documents=True) == expected


def test_without_a_limit_none_is_sent() -> None:
    assert "top_n" not in sent(Rerank())


def test_fields_that_nobody_knows_are_sent_on() -> None:
    assert sent(Rerank(), truncate="END", raw_scores=True)["truncate"] == "END"


def test_only_the_text_of_a_document_is_sent() -> None:
    assert sent(Rerank(), documents=[{"text": "a", "id": 1}, "b"])["documents"] == ["a", "b"]
    with pytest.raises(RequestError) as raised:
        sent(Rerank(), documents=["a", {"image": "x"}])
    assert raised.value.param == "documents[1]"


def test_rules_are_for_the_vendor_s_own_names() -> None:
    rules = (*ignored("max_tokens_per_doc", why="has no such limit"), Renamed("truncate", "truncation", "its own"))
    with serving(RequestContext()) as context:
        body = sent(Rerank(rules=rules), max_tokens_per_doc=5, truncate=True)
    assert body["truncation"] is True and "max_tokens_per_doc" not in body
    assert context.warnings == ["`max_tokens_per_doc` has no effect: `p` has no such limit"]
    with pytest.raises(RequestError):
        sent(Rerank(rules=(Refused("top_k", "returns all"),), top_n="top_k"), top_n=1)


@pytest.mark.parametrize(
    ("rerank", "answer"),
    [
        (Rerank(), {"results": [{"index": 0, "relevance_score": 0.1}, {"index": 2, "relevance_score": 0.9}]}),
        (Rerank(results="data"), {"data": [{"index": 0, "relevance_score": 0}, {"index": 2, "relevance_score": 1}]}),
        (Rerank(results="", score="score"), [{"index": 2, "score": 3.5}, {"index": 0, "score": -1.5}]),
        (
            Rerank(results="rankings", score="logit"),
            {"rankings": [{"index": 0, "logit": -9}, {"index": 2, "logit": 8}]},
        ),
    ],
)
def test_the_best_comes_first_whatever_the_vendor_s_form(rerank: Rerank, answer: Any) -> None:
    assert indexes(rerank, answer) == [2, 0]
    assert indexes(rerank, answer, top_n=1) == [2]


def test_scores_alone_are_those_of_the_documents_in_their_order() -> None:
    answer = answer_of(Rerank(results="scores", score=""), request(), {"scores": [0.2, 0.9, 0.5]})
    assert [(one["index"], one["relevance_score"]) for one in answer["results"]] == [(1, 0.9), (2, 0.5), (0, 0.2)]


def test_equal_scores_keep_the_documents_order() -> None:
    assert indexes(Rerank(results="scores", score=""), {"scores": [1, 1, 1]}) == [0, 1, 2]


def test_documents_are_ours_not_the_vendor_s() -> None:
    answer = {"results": [{"index": 1, "relevance_score": 1, "document": {"text": "changed"}}]}
    (result,) = answer_of(Rerank(), request(return_documents=True), answer)["results"]
    assert result == {"index": 1, "relevance_score": 1.0, "document": {"text": "b"}}
    (result,) = answer_of(Rerank(), request(), answer)["results"]
    assert "document" not in result


def test_what_it_cost_is_passed_on() -> None:
    meta = {"billed_units": {"search_units": 1}}
    answer = answer_of(Rerank(), request(), {"id": "r-1", "results": [], "usage": {"total_tokens": 3}, "meta": meta})
    assert answer == {"model": "m", "results": [], "id": "r-1", "usage": {"total_tokens": 3}, "meta": meta}


@pytest.mark.parametrize(
    ("rerank", "answer"),
    [
        (Rerank(), {}),
        (Rerank(), {"results": {"a": 1}}),
        (Rerank(), "text"),
        (Rerank(), {"results": ["text"]}),
        (Rerank(), {"results": [{"index": 3, "relevance_score": 1}]}),
        (Rerank(), {"results": [{"index": -1, "relevance_score": 1}]}),
        (Rerank(), {"results": [{"index": "0", "relevance_score": 1}]}),
        (Rerank(), {"results": [{"index": True, "relevance_score": 1}]}),
        (Rerank(), {"results": [{"index": 0, "relevance_score": 1}, {"index": 0, "relevance_score": 2}]}),
        (Rerank(), {"results": [{"index": 0, "relevance_score": 10**400}]}),
        (Rerank(), {"results": [{"index": 0}]}),
        (Rerank(), {"results": [{"index": 0, "relevance_score": True}]}),
        (Rerank(results="", score="score"), {"results": []}),
        (Rerank(results="scores", score=""), {"scores": [1, 2, 3, 4]}),
        (Rerank(results="scores", score=""), {"scores": [1, 2]}),
    ],
)
def test_what_is_no_ranking_is_said(rerank: Rerank, answer: Any) -> None:
    with pytest.raises(NotARanking):
        answer_of(rerank, request(), answer)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
ENTRIES = st.fixed_dictionaries(
    {"index": st.integers(-1, 3) | st.booleans(), "relevance_score": LEAVES | st.just(10**400), "score": LEAVES}
)
NAMES = st.sampled_from(["results", "data", "scores", "id", "usage", "index"])
JSON = st.recursive(
    LEAVES | ENTRIES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


WAYS = (Rerank(), Rerank(results="data"), Rerank(results="", score="score"), Rerank(results="scores", score=""))


@given(answer=JSON)
def test_any_answer_is_a_ranking_or_is_said_to_be_none(answer: Any) -> None:
    for rerank in WAYS:
        check_answer(rerank, answer)


def check_answer(rerank: Rerank, answer: Any) -> None:
    try:
        results = answer_of(rerank, request(), answer)["results"]
    except NotARanking as error:
        assert str(error)
        return
    scores, places = [one["relevance_score"] for one in results], [one["index"] for one in results]
    assert all(type(score) is float for score in scores) and scores == sorted(scores, reverse=True)
    assert all(type(place) is int for place in places) and len({*places}) == len(places)
