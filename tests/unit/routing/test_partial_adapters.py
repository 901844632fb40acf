"""An adapter implements the methods that it has: a call of another one is a 501 that names provider and method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config
from runtime.sse import Reply
from tests.support import house
from tests.support.house import Prober, furnish, probe_spec
from tests.support.stacks import serving

CALLS = [
    ("/v1/completions", {"prompt": "x"}, "completion"),
    ("/v1/completions", {"prompt": "x", "stream": True}, "completion"),
    ("/v1/embeddings", {"input": "x"}, "embeddings"),
]


class ChatOnly:
    """An inference provider with one method, whose models have no type."""

    def __init__(self, config: object, context: object) -> None:
        pass

    async def chat_completion(self, request: Any) -> Reply:
        return Reply.of({"model": "m"})


class LookOnly:
    """One of the three methods of an API that nothing routes."""

    look = Prober._answer

    def __init__(self, config: object, context: object) -> None:
        pass


@pytest.mark.parametrize(("path", "body", "method"), CALLS)
async def test_a_routed_method_that_the_owner_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str, body: dict[str, Any], method: str
) -> None:
    monkeypatch.setattr(house, "ChatOnly", ChatOnly, raising=False)
    spec = probe_spec("chat-only", "ChatOnly", config=None).found_in("inference", "tests.support.house")
    furnish(monkeypatch, [spec])
    run = run_config({"provider_id": "only", "provider_type": "inline::chat-only"})
    async with serving(run, tmp_path) as served:
        chat = {"model": "only/m", "messages": [{"role": "user", "content": "hi"}]}
        assert (await served.client.post("/v1/chat/completions", chat)).status == 200
        refused = await served.client.post(path, {"model": "only/m", **body})
        assert (refused.status, refused.error["type"]) == (501, "not_supported_error")
        assert "`only`" in refused.error["message"] and f"`{method}`" in refused.error["message"]


@pytest.mark.parametrize(("path", "body"), [("/v1/tell", {}), ("/v1/things/1", {"name": "x"})])
async def test_a_method_that_the_one_provider_of_an_api_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str, body: dict[str, Any]
) -> None:
    monkeypatch.setattr(house, "LookOnly", LookOnly, raising=False)
    furnish(monkeypatch, [probe_spec("look-only", "LookOnly", config=None)])
    run = run_config(providers={"probe": [{"provider_id": "p", "provider_type": "inline::look-only"}]})
    async with serving(run, tmp_path) as served:
        refused = await served.client.post(path, body)
        assert (refused.status, refused.error["code"]) == (501, "not_supported")
        assert "`p`" in refused.error["message"]
