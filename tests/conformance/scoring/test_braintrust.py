"""The scorers of autoevals, the library itself: what they count, and what becomes of what does not fit them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.conformance.asgi import LIMIT_S, Answered, Client
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import EMBEDDING_MODEL, refusal, upstream_server
from tests.support.autoevals_model import JUDGE, AutoevalsModel, judged
from tests.support.stacks import openai_at

MODELS = {"judge_model": f"vendor/{JUDGE}", "embedding_model": f"vendor/{EMBEDDING_MODEL}"}
ROW = {
    "input_query": "Which animal grazes?",
    "generated_answer": "A Quagga grazes",
    "expected_answer": "A Quagga grazes",
    "context": ["A Quagga grazes over there", "Nobody knows why"],
}


@asynccontextmanager
async def scoring(folder: Path, vendor: AutoevalsModel, **settings: Any) -> AsyncIterator[Client]:
    provider = {"provider_id": "braintrust", "provider_type": "inline::braintrust", "config": settings}
    run = run_config(providers={"inference": [openai_at(vendor.url)], "scoring": [provider]})
    async with serving(run, folder) as served:
        yield served.client


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[AutoevalsModel]:
    async with upstream_server(make=AutoevalsModel) as running:
        yield running


@pytest_asyncio.fixture
async def client(tmp_path: Path, vendor: AutoevalsModel) -> AsyncIterator[Client]:
    async with scoring(tmp_path, vendor, **MODELS) as running:
        yield running


async def ask(client: Client, scorer: str, params: Any, *rows: Any) -> Answered:
    functions = {f"braintrust::{scorer}": params}
    return await client.post("/v1/scoring/score", {"input_rows": list(rows), "scoring_functions": functions})


async def scored(client: Client, scorer: str, *rows: Any, params: Any = None) -> list[Any]:
    answer = await ask(client, scorer, params, *rows)
    assert answer.status == 200, answer.body
    found: list[Any] = answer.json()["results"][f"braintrust::{scorer}"]["score_rows"]
    return found


def says(vendor: AutoevalsModel, **arguments: Any) -> None:
    vendor.says = lambda body: json.dumps(arguments)


@pytest.mark.parametrize(("choice", "score"), [("A", 0.4), ("B", 0.6), ("C", 1), ("D", 0), ("E", 1)])
async def test_factuality_has_the_scores_of_its_choices(
    client: Client, vendor: AutoevalsModel, choice: str, score: float
) -> None:
    says(vendor, reasons="because", choice=choice)
    [row] = await scored(client, "factuality", ROW)
    assert row == {"score": score, "metadata": {"choice": choice, "rationale": "because"}}
    [asked] = [seen.json() for seen in vendor.calls("/chat/completions")]
    assert asked["model"] == JUDGE and asked["store"] is False and "temperature" not in asked
    assert asked["tools"][0]["function"]["parameters"]["properties"]["choice"]["enum"] == ["A", "B", "C", "D", "E"]


async def test_correctness_is_f1_of_statements_with_a_quarter_of_similarity(
    client: Client, vendor: AutoevalsModel
) -> None:
    says(vendor, TP=["one"], FP=["two"], FN=["three", "four", "five"])
    [row] = await scored(client, "answer-correctness", ROW)
    assert row["score"] == pytest.approx(0.75 * 1 / (1 + 0.5 * 4) + 0.25)
    similarity = row["metadata"]["answer_similarity"]
    assert similarity == {"name": "EmbeddingSimilarity", "score": pytest.approx(1), "metadata": {}}


@pytest.mark.parametrize(
    ("scorer", "said", "score"),
    [
        ("context-recall", {"statements": [{"attributed": 1}, {"attributed": 0}]}, 0.5),
        ("context-precision", {"reason": "", "verdict": 0}, 0),
        ("context-relevancy", {"sentences": [{"sentence": "A Quagga grazes over there", "reasons": []}]}, 26 / 43),
        ("context-relevancy", {"sentences": []}, 0),
        ("answer-relevancy", {"question": "Which animal grazes?", "noncommittal": 0}, 1),
        ("answer-relevancy", {"question": "Which animal grazes?", "noncommittal": 1}, 0),
    ],
)  # fmt: skip
async def test_what_judges_say_is_counted(
    client: Client, vendor: AutoevalsModel, scorer: str, said: Any, score: float
) -> None:
    says(vendor, **said)
    [row] = await scored(client, scorer, ROW)
    assert row["score"] == pytest.approx(score), row


async def test_faithfulness_is_the_share_of_statements_that_the_context_bears_out(
    client: Client, vendor: AutoevalsModel
) -> None:
    def judge(body: Any) -> str:
        if body["tool_choice"]["function"]["name"] == "extract_statements":
            return json.dumps({"statements": ["one", "two", "three"]})
        verdicts = [{"statement": "s", "verdict": one, "reason": ""} for one in (1, 1, 0)]
        return json.dumps({"faithfulness": verdicts})

    vendor.says = judge
    [row] = await scored(client, "faithfulness", ROW)
    assert row["score"] == pytest.approx(2 / 3) and row["metadata"]["statements"] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("scorer", "said", "why"),
    [
        ("factuality", "{}", "KeyError"),
        ("factuality", '{"choice": "Z"}', "KeyError"),
        ("factuality", '{"choice": 5}', "AttributeError"),
        ("factuality", "so-so", "JSONDecodeError"),
        ("factuality", "[]", "TypeError"),
        ("factuality", {"content": "I would say C."}, "JSONDecodeError"),
        ("factuality", {"content": None, "refusal": "I must not."}, "refuses"),
        ("context-precision", '{"verdict": 7}', "`verdict` is 7, neither 0 nor 1"),
        ("context-recall", '{"statements": [{"attributed": 2}, {"attributed": 0}]}', "`attributed` is 2"),
        ("context-recall", '{"statements": [{"attributed": "yes"}]}', '`attributed` is "yes"'),
        ("answer-correctness", '{"TP": [], "FP": [], "FN": []}', "nothing that could be counted"),
        ("faithfulness", '{"statements": [], "faithfulness": []}', "nothing that could be counted"),
        ("context-entity-recall", '{"entities": 5}', "TypeError"),
    ],
)
async def test_what_does_not_fit_is_an_error_with_what_was_said(
    client: Client, vendor: AutoevalsModel, scorer: str, said: Any, why: str
) -> None:
    vendor.says = lambda body: said
    [row] = await scored(client, scorer, ROW)
    assert row["score"] is None and why in row["error"], row
    told = said if isinstance(said, str) else said["content"] or said["refusal"]
    assert set(row["judge_feedback"].split("\n")) == {told}


async def test_a_context_that_is_not_there_is_not_judged(client: Client, vendor: AutoevalsModel) -> None:
    for context in (None, ["A Quagga grazes", None]):
        [row] = await scored(client, "context-precision", {**ROW, "context": context})
        assert row["score"] is None and "`context` is null" in row["error"]
    assert not vendor.calls("/chat/completions")


async def test_one_row_that_cannot_be_scored_leaves_the_others(client: Client, vendor: AutoevalsModel) -> None:
    vendor.says = lambda body: "nonsense" if "It rains" in body["messages"][0]["content"] else judged(body)
    good, bad = await scored(client, "factuality", ROW, {**ROW, "generated_answer": "It rains"})
    assert good["score"] == 1 and bad["score"] is None


@pytest.mark.parametrize("kind", ["basic", "llm_as_judge"])
async def test_a_request_names_models_where_nobody_else_does(tmp_path: Path, vendor: AutoevalsModel, kind: str) -> None:
    async with scoring(tmp_path, vendor) as client:
        answer = await ask(client, "factuality", None, ROW)
        assert answer.status == 400 and "`judge_model`" in answer.error["message"]
        answer = await ask(client, "answer-similarity", None, ROW)
        assert answer.status == 400 and "`embedding_model`" in answer.error["message"]
        told = {"options": MODELS} if kind == "basic" else {"judge_model": MODELS["judge_model"]}
        [row] = await scored(client, "factuality", ROW, params={"type": kind, **told})
        assert row["score"] == 1


@pytest.mark.parametrize(
    ("params", "status", "words"),
    [
        ({"type": "basic", "options": {"judge": "x"}}, 400, "params.options"),
        ({"type": "basic", "options": {"judge_model": "vendor/small-chatt"}}, 404, f"`vendor/{JUDGE}`"),
        ({"type": "basic", "options": {"judge_model": f"vendor/{EMBEDDING_MODEL}"}}, 400, "of type `embedding`"),
        ({"type": "regex_parser"}, 400, "is given `regex_parser`"),
        ({"type": "llm_as_judge", "judge_model": "m", "prompt_template": "{x}"}, 400, "takes no `prompt_template`"),
    ],
)
async def test_wrong_params_are_refused(client: Client, params: Any, status: int, words: str) -> None:
    answer = await ask(client, "factuality", params, ROW)
    assert answer.status == status and words in answer.error["message"], answer.body


async def test_each_text_is_embedded_once_for_a_row_and_none_is_kept(client: Client, vendor: AutoevalsModel) -> None:
    names = "Quagga Okapi Kudu Eland"
    row = {**ROW, "expected_answer": names, "context": names}
    for rounds in (1, 2):
        [found] = await scored(client, "context-entity-recall", row)
        assert found["score"] == pytest.approx(1)
        asked = [seen.json()["input"] for seen in vendor.calls("/embeddings")]
        assert sorted(asked) == sorted(names.split() * rounds)
    similarity = sys.modules["autoevals.string"].EmbeddingSimilarity
    assert not similarity._CACHE, "the library would keep all of them for ever"


async def test_a_caller_that_leaves_stops_what_is_asked_and_frees_its_thread(
    tmp_path: Path, vendor: AutoevalsModel
) -> None:
    arrived = asyncio.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return web.json_response(vendor.listed())
        arrived.set()
        await asyncio.Event().wait()
        return refusal(500, "never")

    vendor.misbehaves = wait
    body = {"input_rows": [ROW], "scoring_functions": {"braintrust::faithfulness": None}}
    headers = {"content-type": "application/json"}
    async with scoring(tmp_path, vendor, **MODELS, at_once=1) as client, asyncio.timeout(LIMIT_S):
        call = client.call("POST", "/v1/scoring/score", headers=headers, body=json.dumps(body).encode())
        await arrived.wait()
        await call.leave()
        await vendor.ended_early.wait()
        vendor.misbehaves = None
        [row] = await scored(client, "factuality", ROW)
        assert row["score"] == 1, "there is but one thread"


async def test_nothing_of_the_library_needs_a_key_or_knows_another_server(client: Client) -> None:
    await scored(client, "answer-correctness", ROW)
    assert "braintrust" not in sys.modules
    assert sys.modules["autoevals.oai"]._openai_module is None, "it has not made a client of its own"
