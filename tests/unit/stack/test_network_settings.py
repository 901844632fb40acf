"""Any provider's config may say how its servers are reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.errors import ConfigInvalid
from runtime.stack.plan import plan
from tests.support.stacks import openai_at, serving

CHAT = {"model": f"vendor/{CHAT_MODEL}", "messages": [{"role": "user", "content": "hi"}]}


async def test_what_the_config_says_is_sent_and_its_values_are_not_shown(tmp_path: Path, upstream: Upstream) -> None:
    seen: list[str | None] = []

    async def look(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("x-team"))
        return web.json_response({"choices": []})

    run = run_config(openai_at(upstream.url, network={"headers": {"X-Team": "blue-47"}, "timeout": 5}))
    async with serving(run, tmp_path) as served:
        upstream.misbehaves = look
        assert (await served.client.post("/v1/chat/completions", CHAT)).status == 200
        shown = (await served.client.get("/v1/providers/vendor")).body
    assert "blue-47" in seen
    assert b"blue-47" not in shown and b'"network"' in shown


def problem_of(network: Any) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        plan(run_config(openai_at("http://127.0.0.1:9/v1", network=network)))
    [problem] = caught.value.problems
    return str(problem)


@pytest.mark.parametrize(
    ("network", "path", "words"),
    [
        ({"tls": {"verfy": True}}, "config.network.tls.verfy", "did you mean `verify`?"),
        ({"timeout": {"read": -1}}, "config.network.timeout.read", "greater than 0"),
        ("none", "config.network", "a mapping"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(network: Any, path: str, words: str) -> None:
    problem = problem_of(network)
    assert f"providers.inference[0].{path}" in problem and words in problem


async def test_a_provider_without_its_certificate_degrades_alone(tmp_path: Path) -> None:
    run = run_config(openai_at("https://127.0.0.1:9/v1", network={"tls": {"verify": "/nowhere/ca.pem"}}))
    async with serving(run, tmp_path) as served:
        assert "`vendor` has no file `/nowhere/ca.pem`" in served.stack.degraded()["vendor"]
        assert (await served.client.get("/v1/health")).status == 200
