"""Metrics that are read from the spans that a stack keeps, as llama-stack 0.2 asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.clock import wall_time
from runtime.conformance.stacks import Served, run_config, serving
from runtime.conformance.upstream import Upstream
from tests.support.stacks import openai_at

TELEMETRY = [{"provider_id": "builtin", "provider_type": "inline::builtin"}]
CHAT = {"messages": [{"role": "user", "content": "hello"}]}


@asynccontextmanager
async def asked_twice(upstream: Upstream, folder: Path) -> AsyncIterator[Served]:
    """A stack that was asked by one model twice and by another one once, and for one that is not there."""
    upstream.models = ["chat", "other"]
    run = run_config(providers={"inference": [openai_at(upstream.url)], "telemetry": TELEMETRY})
    async with serving(run, folder) as served:
        for model in ("chat", "chat", "other", "none"):
            await served.client.post("/v1/chat/completions", json={**CHAT, "model": f"vendor/{model}"})
        yield served


async def read(served: Served, name: str, *, at: str = "/v1", **asked: Any) -> list[dict[str, Any]]:
    body = {"start_time": int(wall_time()) - 3600, "query_type": "instant"} | asked
    answer = await served.client.post(f"{at}/telemetry/metrics/{name}", json=body)
    assert answer.status == 200, answer.json()
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def labels(series: dict[str, Any]) -> dict[str, str]:
    return {label["name"]: label["value"] for label in series["labels"]}


async def test_tokens_are_summed_by_model_and_provider(upstream: Upstream, tmp_path: Path) -> None:
    async with asked_twice(upstream, tmp_path) as served:
        prompt, answered, total = [
            {labels(one)["model_id"]: one["values"][0]["value"] for one in await read(served, f"{name}_tokens")}
            for name in ("prompt", "completion", "total")
        ]
        assert prompt.keys() == {"vendor/chat", "vendor/other"}
        assert prompt["vendor/chat"] == 2 * prompt["vendor/other"] > 0
        assert total == {model: prompt[model] + answered[model] for model in prompt}
        [series] = await read(
            served,
            "llama_stack.prompt_tokens",
            at="/v1alpha",
            label_matchers=[{"name": "model_id", "value": "vendor/other", "operator": "="}],
        )
        assert labels(series) == {"model_id": "vendor/other", "provider_id": "vendor"}
        assert (series["metric"], series["values"][0]["unit"]) == ("llama_stack.prompt_tokens", "tokens")


async def test_a_range_has_a_value_for_each_time_in_which_there_was_something(
    upstream: Upstream, tmp_path: Path
) -> None:
    async with asked_twice(upstream, tmp_path) as served:
        now = int(wall_time())
        for granularity, seconds in (("1h", 3600), ("1d", 86_400)):
            found = await read(served, "requests_total", query_type="range", granularity=granularity)
            assert {labels(one)["status_code"] for one in found} == {"200", "404"}
            points = [point for one in found for point in one["values"]]
            assert sum(point["value"] for point in points) == 4
            assert all(point["timestamp"] % seconds == 0 and now - point["timestamp"] < 2 * seconds for point in points)
        assert await read(served, "requests_total", start_time=0, end_time=now - 3600) == []


@pytest.mark.parametrize(
    ("operator", "value", "models"),
    [
        ("=", "vendor/chat", {"vendor/chat"}),
        ("!=", "vendor/chat", {"vendor/other"}),
        ("=~", "vendor/.*", {"vendor/chat", "vendor/other"}),
        ("=~", "chat", set()),
        ("!~", ".*/o.*", {"vendor/chat"}),
    ],
)
async def test_labels_are_matched_as_prometheus_does(
    upstream: Upstream, tmp_path: Path, operator: str, value: str, models: set[str]
) -> None:
    async with asked_twice(upstream, tmp_path) as served:
        matcher = {"name": "model", "value": value, "operator": operator}
        found = await read(served, "inference.duration_seconds", label_matchers=[matcher])
        assert {labels(one)["model"] for one in found} == models


@pytest.mark.parametrize(
    "name",
    [
        *("request_duration_seconds", "inference.time_to_first_token_seconds", "tool_runtime.invocations_total"),
        *("tool_runtime.duration_seconds", "vector_io.queries_total", "vector_io.retrieval_duration_seconds"),
    ],
)
async def test_each_metric_can_be_asked_for(upstream: Upstream, tmp_path: Path, name: str) -> None:
    async with asked_twice(upstream, tmp_path) as served:
        assert isinstance(await read(served, name), list)


@pytest.mark.parametrize(
    ("name", "asked", "status", "words"),
    [
        ("nothing", {}, 404, "There is no metric `nothing`"),
        ("prompt_tokens", {"label_matchers": [{"name": "colour", "value": "red"}]}, 400, "it has no label `colour`"),
        ("prompt_tokens", {"label_matchers": [{"name": "model_id", "value": "(", "operator": "=~"}]}, 400, "("),
        ("prompt_tokens", {"granularity": "often"}, 400, "granularity"),
    ],
)
async def test_what_is_wrong_is_told(
    upstream: Upstream, tmp_path: Path, name: str, asked: dict[str, Any], status: int, words: str
) -> None:
    async with asked_twice(upstream, tmp_path) as served:
        body = {"start_time": 0, "query_type": "instant"} | asked
        answer = await served.client.post(f"/v1/telemetry/metrics/{name}", json=body)
        assert (answer.status, words in answer.json()["error"]["message"]) == (status, True), answer.body
