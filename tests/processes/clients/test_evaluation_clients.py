"""Datasets, scores and evaluations as official clients ask for them, before and after a restart; and what harnesses of
others find with our server, beside what we find.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.conformance.upstream import CHAT_MODEL, Upstream, upstream_server
from tests.processes.clients.gateway import each_of
from tests.support.official_clients import Running, official_clients
from tests.support.server_process import ServerProcess, running_server
from tests.support.stacks import openai_at

pytestmark = [pytest.mark.e2e, pytest.mark.network_registry, pytest.mark.asyncio(loop_scope="module")]

CAPITALS = {"France": "Paris", "Spain": "Madrid", "Italy": "Milan, I think"}
ROWS = [
    {"question": f"What is the capital of {country}?", "answer": answer}
    for country, answer in (("France", "Paris"), ("Spain", "Barcelona"), ("Italy", "Milan"))
]
MODEL = f"vendor/{CHAT_MODEL}"
with_evaluations = each_of(
    client for client in official_clients() if client.package == "llama-stack-client" and not client.is_library
)

with_harnesses = each_of(client for client in official_clients() if "evaluated" in client.only)


async def knows_capitals(request: web.Request) -> web.StreamResponse:
    """For `Upstream.misbehaves`: a model with one kind of knowledge."""
    if request.method == "GET":
        return web.json_response({"object": "list", "data": [{"id": CHAT_MODEL, "object": "model"}]})
    body = json.loads(await request.read())
    asked = str(body["messages"][-1]["content"])
    answer = next(capital for country, capital in CAPITALS.items() if country in asked)
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": answer}}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    facts = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"]}
    return web.json_response({**facts, "choices": [choice], "usage": usage})


def config(**providers: Any) -> dict[str, Any]:
    return {
        "version": 2,
        "distro_name": "evaluations",
        "providers": {
            **providers,
            "datasetio": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
            "scoring": [{"provider_id": "basic", "provider_type": "inline::basic"}],
            "eval": [{"provider_id": "meta-reference", "provider_type": "inline::meta-reference"}],
        },
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vendor() -> AsyncIterator[Upstream]:
    async with upstream_server() as found:
        found.misbehaves = knows_capitals
        yield found


@with_evaluations
async def test_rows_become_a_dataset_a_benchmark_and_a_result(
    client: Running, vendor: Upstream, tmp_path: Path
) -> None:
    run, name = config(inference=[openai_at(vendor.url)]), "capitals"
    async with running_server(run, tmp_path, said="serving") as server:
        told = await client("evaluations", url=server.url, model=MODEL, rows=ROWS, name=name)
    job_id = told.pop("job_id")
    assert told["dataset"] == [name, "eval/question-answer", {"a": 1}] and told["read"] == name
    assert name in told["datasets"]
    assert (told["page"], told["rows"]) == ([ROWS[:1], True], ROWS)
    assert told["function"] == ["Mine", "scoring_function"]
    assert {"mine", "basic::equality", "basic::subset_of"} <= set(told["functions"])
    assert told["scored"] == {"mine": [1.0, 0.0], "basic::equality": [1.0, 0.0]}
    assert told["accuracy"] == told["of_dataset"] == 0.5
    assert told["benchmark"] == [["basic::equality", "basic::subset_of"], [name]]
    result = {
        "answers": list(CAPITALS.values()),
        "scores": {"basic::equality": [1.0, 0.0, 0.0], "basic::subset_of": [1.0, 0.0, 1.0]},
    }
    assert (told["job"], told["result"]) == ("completed", result)
    assert told["at_once"] == {"answers": ["Paris"], "scores": {"basic::equality": [1.0]}}
    for error in (told["unknown"], told["not_found"], told["unknown_function"]):
        assert (error["type"], error["status"]) == (client.facts.not_found, 404)
    assert (told["ended"]["type"], told["ended"]["status"]) == ("ConflictError", 409)
    assert "did you mean `basic::equality`" in told["unknown_function"]["said"]
    async with running_server(run, tmp_path, said="serving") as server:
        again = await client("evaluated_before", url=server.url, name=name, job_id=job_id)
    assert again["rows"] == ROWS and again["benchmarks"] == [name] and "mine" in again["functions"]
    assert (again["job"], again["result"]) == ("completed", result)


EASY = [
    {"question": "What is the capital of France? Answer with one word.", "answer": "Paris"},
    {"question": "What is 2+2? Answer with one number.", "answer": "The answer is 4."},
    {"question": "Say yes.", "answer": "yes"},
]
MOST_TOKENS = 16


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def embedded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server with the model that runs here, and what it evaluates with."""
    engine = {"provider_id": "here", "provider_type": "inline::meta-reference"}
    run = config(inference=[{**engine, "config": {"model": "SmolLM2-135M-Instruct"}}])
    async with running_server(run, tmp_path_factory.mktemp("embedded"), said="serving") as found:
        yield found


@with_harnesses
async def test_a_harness_of_others_finds_what_we_find(client: Running, embedded: ServerProcess) -> None:
    model = "here/SmolLM2-135M-Instruct"
    theirs = await client("evaluated", url=embedded.url, model=model, rows=EASY, max_tokens=MOST_TOKENS)
    ours = await evaluated(embedded, model)
    assert ours["answers"] == theirs["answers"], "the same rows are asked"
    for scorer, function in (("exact", "basic::equality"), ("part", "basic::subset_of")):
        if scorer in theirs["scores"]:
            assert ours["scores"][function] == theirs["scores"][scorer], scorer
            assert ours["means"][function] == pytest.approx(theirs["means"][scorer]), scorer
    assert ours["scores"]["basic::subset_of"] == [1.0, 1.0, 0.0], "some are right, some are not"


async def evaluated(server: ServerProcess, model: str) -> dict[str, Any]:
    """What our own evaluation finds."""
    functions = ["basic::equality", "basic::subset_of"]
    await server.ask(
        "POST",
        "/v1beta/datasets",
        json={"dataset_id": "easy", "purpose": "eval/question-answer", "source": {"type": "rows", "rows": EASY}},
    )
    body = {"benchmark_id": "easy", "dataset_id": "easy", "scoring_functions": functions}
    await server.ask("POST", "/v1alpha/eval/benchmarks", json=body)
    sampling = {"strategy": {"type": "greedy"}, "max_tokens": MOST_TOKENS, "stop": ["\n\n\n"]}
    asked = {
        "input_rows": EASY,
        "scoring_functions": functions,
        "benchmark_config": {
            "eval_candidate": {"type": "model", "model": model, "sampling_params": sampling},
            "scoring_params": {name: {"type": "basic", "aggregation_functions": ["average"]} for name in functions},
        },
    }
    status, found = await server.ask("POST", "/v1alpha/eval/benchmarks/easy/evaluations", json=asked)
    assert status == 200, found
    return {
        "answers": [each["generated_answer"] for each in found["generations"]],
        "scores": {name: [row["score"] for row in found["scores"][name]["score_rows"]] for name in functions},
        "means": {name: found["scores"][name]["aggregated_results"]["average"]["average"] for name in functions},
    }
