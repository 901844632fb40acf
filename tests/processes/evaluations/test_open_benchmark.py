"""The distribution `open-benchmark`, as it is rendered, without any key: its function calls are asked of a model that
gets some of them right, and its scores are exactly these.
"""

from __future__ import annotations

import asyncio
import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from runtime import discovery
from runtime.clock import wall_time
from runtime.config.rendering import render
from runtime.conformance.upstream import CHAT_MODEL, Upstream, upstream_server
from tests.support.eval_process import LIMIT_S, once
from tests.support.server_process import ServerProcess, running_server
from tests.support.stacks import openai_at

pytestmark = pytest.mark.e2e
AT = "/v1alpha/eval/benchmarks/meta-reference-bfcl"
BFCL, ROWS = "basic::bfcl", 20
EMBEDDED = "SmolLM2-135M-Instruct"
Json = dict[str, Any]


def rendered(vendor: Upstream) -> Json:
    """What `llama stack build open-benchmark` writes, and a model beside it."""
    found: Json = yaml.safe_load(render("open-benchmark", specs=discovery.built_in().specs))
    found["providers"]["inference"].append(openai_at(vendor.url))
    return found


def of_the_package(place: str) -> list[Json]:
    """The first rows of a file of the leaderboard's data."""
    found = metadata.distribution("bfcl-eval").locate_file(f"bfcl_eval/data/{place}BFCL_v4_simple_python.json")
    return [json.loads(line) for line in Path(str(found)).read_text(encoding="utf-8").splitlines()[:ROWS]]


def right(value: Any) -> Any:
    """One of the right values, also of what may be left out."""
    if not isinstance(value, dict):
        return value
    given = {name: [one for one in values if one != ""] for name, values in value.items()}
    return {name: right(values[0]) for name, values in given.items() if values}


class Calling:
    """Answers as the leaderboard wants it, but for each third question, and each seventh, which it answers in words.
    asked: the bodies, by question.
    """

    def __init__(self) -> None:
        questions = [row["question"][0][-1]["content"] for row in of_the_package("")]
        self.wanted = dict(zip(questions, of_the_package("possible_answer/"), strict=True))
        self.asked: dict[str, Json] = {}

    def is_right(self, number: int) -> bool:
        return bool(number % 3 and number % 7)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":  # the list of models
            return web.json_response({"object": "list", "data": [{"id": CHAT_MODEL, "object": "model", "created": 1}]})
        body = await request.json()
        text = body["messages"][-1]["content"]
        number = list(self.wanted).index(text)
        self.asked[text] = body
        message: Json = {"role": "assistant", "content": "I would rather not."}
        if number % 7:
            [(name, values)] = self.wanted[text]["ground_truth"][0].items()
            arguments = right(values) if number % 3 else {**right(values), "another": 1}
            called = {"name": name.replace(".", "_"), "arguments": json.dumps(arguments)}
            message = {**message, "content": None, "tool_calls": [{"id": "1", "type": "function", "function": called}]}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return web.json_response(
            {"id": "c-1", "created": int(wall_time()), "model": body["model"], "choices": [choice]}
        )


async def run(server: ServerProcess, model: str, **config: Any) -> tuple[Json, list[Json]]:
    """A run of the benchmark that has ended, and its rows."""
    asked = {
        "benchmark_config": {
            "eval_candidate": {"type": "model", "model": model, **config.pop("candidate", {})},
            **config,
        }
    }
    status, job = await server.ask("POST", f"{AT}/jobs", json=asked)
    assert status == 200, job
    path = f"{AT}/jobs/{job['job_id']}"
    ended = await once(server, path, is_ended=True)
    assert ended["status"] == "completed", ended
    _, page = await server.ask("GET", f"{path}/rows?limit=1000")
    return ended, page["data"]


async def started(server: ServerProcess) -> list[Json]:
    """Every provider that is on, once none is starting."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            _, found = await server.ask("GET", "/v1/providers")
            providers: list[Json] = found["data"]
            if all(one["health"]["state"] != "starting" for one in providers):
                return providers
            await asyncio.sleep(0.05)


async def test_calls_are_scored_exactly_as_they_were_right(tmp_path: Path) -> None:
    async with upstream_server() as vendor:
        vendor.misbehaves = calling = Calling()
        async with running_server(rendered(vendor), tmp_path, said="serving") as server:
            _, health = await server.ask("GET", "/v1/health")
            _, benchmarks = await server.ask("GET", "/v1alpha/eval/benchmarks")
            _, rows = await run(server, f"vendor/{CHAT_MODEL}", num_examples=ROWS)
            _, embedded = await run(server, EMBEDDED, num_examples=1, candidate={"sampling_params": {"max_tokens": 60}})
            providers = await started(server)
    assert health["status"].lower() == "ok", health
    assert {one["api"] for one in providers} >= {"eval", "scoring", "datasetio", "inference"}
    assert {one["provider_id"] for one in providers if one["health"]["state"] == "degraded"} == set()
    assert len(benchmarks["data"]) == 10
    assert [row["row"]["id"] for row in rows] == [f"simple_python_{number}" for number in range(ROWS)]
    scores = [row["scores"][BFCL]["score"] for row in rows]
    assert scores == [float(calling.is_right(number)) for number in range(ROWS)]
    assert all(body["tools"][0]["function"]["parameters"]["type"] == "object" for body in calling.asked.values())
    assert len(calling.asked) == ROWS
    [one] = embedded
    assert one["generation"]["generated_answer"] and one["scores"][BFCL]["score"] in (0.0, 1.0)
