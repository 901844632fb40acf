"""The adapter behind every OpenAI-shaped vendor: addresses, keys, model lists, and what it adds to a request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Upstream
from runtime.providers.inference._openai_compatible.adapter import _address
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from tests.support.stacks import openai_at, serving

CHAT = {"model": f"vendor/{CHAT_MODEL}", "messages": [{"role": "user", "content": "hi"}]}


def keyless(upstream: Upstream) -> dict[str, Any]:
    return {
        "provider_id": "vendor",
        "provider_type": "remote::openai",
        "config": {"base_url": upstream.url, "api_key": ""},
    }


def bringing(**keys: Any) -> dict[str, str]:
    return {"x-llamastack-provider-data": json.dumps(keys)}


async def models(client: Client) -> dict[str, str]:
    return {model["id"]: model["model_type"] for model in (await client.get("/v1/models")).json()["data"]}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://localhost:11434", "http://localhost:11434/v1"),
        ("http://localhost:11434/", "http://localhost:11434/v1"),
        ("http://localhost/api/v2/", "http://localhost/api/v2"),
        (" http://localhost:11434 ", "http://localhost:11434/v1"),
        ("", ""),
    ],
)
def test_an_address_without_a_path_gets_the_version_s(given: str, expected: str) -> None:
    assert _address(given, "/v1") == expected


@pytest.mark.parametrize("name", ["base_url", "url", "openai_compat_api_base"])
def test_older_names_of_the_address_are_read(name: str) -> None:
    assert OpenAICompatibleConfig.model_validate({name: "http://x"}).base_url == "http://x"


def test_a_key_is_not_shown() -> None:
    assert "sk-x" not in repr(OpenAICompatibleConfig.model_validate({"api_token": "sk-x"}))


async def test_models_are_listed_with_their_types(tmp_path: Path, upstream: Upstream) -> None:
    upstream.models = ["chat", "text-embedding-3", "some-rerank-2"]
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        assert await models(served.client) == {
            "vendor/chat": "llm", "vendor/some-rerank-2": "rerank", "vendor/text-embedding-3": "embedding",
        }  # fmt: skip


async def test_only_allowed_models_are_served(tmp_path: Path, upstream: Upstream) -> None:
    async with serving(run_config(openai_at(upstream.url, allowed_models=[CHAT_MODEL])), tmp_path) as served:
        assert list(await models(served.client)) == [f"vendor/{CHAT_MODEL}"]
        answer = await served.client.post("/v1/embeddings", {"model": f"vendor/{EMBEDDING_MODEL}", "input": "x"})
        assert answer.status == 404


async def test_models_that_are_not_to_be_refreshed_are_asked_for_once(tmp_path: Path, upstream: Upstream) -> None:
    async with serving(run_config(openai_at(upstream.url, refresh_models=False)), tmp_path) as served:
        assert len(upstream.calls("/models")) == 1
        assert (await served.client.get("/v1/models/vendor/other")).status == 404
        assert len(upstream.calls("/models")) == 1


@pytest.mark.parametrize("body", [{"data": 5}, {}, {"data": {"a": 1}}])
async def test_a_listing_that_is_none_leaves_the_provider_to_its_word(
    tmp_path: Path, upstream: Upstream, body: Any
) -> None:
    async def lists_nonsense(_: web.Request) -> web.StreamResponse:
        return web.json_response(body)

    upstream.misbehaves = lists_nonsense
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        assert await models(served.client) == {}
        upstream.misbehaves = None
        assert (await served.client.post("/v1/chat/completions", CHAT)).status == 200


async def test_entries_without_a_name_are_passed_over(tmp_path: Path, upstream: Upstream) -> None:
    async def lists_some(_: web.Request) -> web.StreamResponse:
        return web.json_response({"data": [{"id": "good"}, {"id": 5}, "text", None, {}]})

    upstream.misbehaves = lists_some
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        assert list(await models(served.client)) == ["vendor/good"]


async def test_the_configured_key_is_sent(tmp_path: Path, upstream: Upstream) -> None:
    upstream.key = "sk-configured-secret"
    async with serving(run_config(openai_at(upstream.url, api_key="sk-configured-secret\n")), tmp_path) as served:
        assert (await served.client.post("/v1/chat/completions", CHAT)).status == 200


@pytest.mark.parametrize("name", ["vendor_api_key", "openai_api_key", "openai_api_token"])
async def test_a_key_that_the_caller_brings_wins_for_its_request_alone(
    tmp_path: Path, upstream: Upstream, name: str
) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        upstream.key = "sk-brought"
        assert (
            await served.client.post("/v1/chat/completions", CHAT, headers=bringing(**{name: "sk-brought"}))
        ).status == 200
        answer = await served.client.post("/v1/chat/completions", CHAT)
        assert (answer.status, answer.error["code"]) == (502, "upstream_refused_key")
        assert "set OPENAI_API_KEY, or send `vendor_api_key`" in answer.error["message"]


@pytest.mark.parametrize("key", [5, True, ["sk"], {"key": "sk"}, "sk\nx", "schlüssel"])
async def test_a_key_that_is_none_is_refused_and_ours_is_not_used_for_it(
    tmp_path: Path, upstream: Upstream, key: Any
) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        answer = await served.client.post("/v1/chat/completions", CHAT, headers=bringing(vendor_api_key=key))
        assert answer.status == 401 and "`vendor_api_key`" in answer.error["message"]
        assert (
            await served.client.post("/v1/chat/completions", CHAT, headers=bringing(vendor_api_key=None))
        ).status == 200


async def test_without_a_key_requests_must_bring_theirs(tmp_path: Path, upstream: Upstream) -> None:
    upstream.key = "sk-brought"
    async with serving(run_config(keyless(upstream)), tmp_path) as served:
        health = (await served.client.get("/v1/providers/vendor")).json()["health"]
        assert (health["state"], "OPENAI_API_KEY" in health["message"]) == ("needs-key", True)
        refused = await served.client.post("/v1/chat/completions", CHAT)
        assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
        assert "`vendor_api_key` in X-LlamaStack-Provider-Data" in refused.error["message"]
        assert upstream.seen == []  # nothing was sent anywhere
        assert (
            await served.client.post("/v1/chat/completions", CHAT, headers=bringing(vendor_api_key="sk-brought"))
        ).status == 200


async def test_what_one_caller_s_key_may_see_is_not_listed_for_all(tmp_path: Path, upstream: Upstream) -> None:
    upstream.key = "sk-brought"
    async with serving(run_config(keyless(upstream)), tmp_path) as served:
        brought = bringing(vendor_api_key="sk-brought")
        await served.client.post("/v1/chat/completions", CHAT | {"model": "vendor/nope"}, headers=brought)
        await served.client.get("/v1/providers/vendor", headers=brought)
        assert upstream.calls("/models") == []
        assert await models(served.client) == {}


@pytest.mark.parametrize("key", ["sk\r\nx-evil: 1", "sk-é", "sk\x00"])
async def test_a_key_that_no_header_can_hold_is_the_caller_s_mistake(
    tmp_path: Path, upstream: Upstream, key: str
) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        answer = await served.client.post("/v1/chat/completions", CHAT, headers=bringing(vendor_api_key=key))
        assert answer.status == 401
        assert "evil" not in answer.error["message"]


@pytest.mark.parametrize("key", ["sk-one\nsk-two", "sk-schlüssel", "sk\x00"])
async def test_a_configured_key_that_no_header_can_hold_is_named(tmp_path: Path, upstream: Upstream, key: str) -> None:
    async with serving(run_config(openai_at(upstream.url, api_key=key)), tmp_path) as served:
        reason = served.stack.degraded()["vendor"]
        assert reason.startswith(
            "the key of provider `vendor` is not valid: it contains a special character, such as a line break "
            "(set OPENAI"
        )
        assert "sk" not in reason
        assert upstream.seen == []


async def test_openai_s_fields_that_are_null_are_not_sent(tmp_path: Path, upstream: Upstream) -> None:
    async with serving(run_config(openai_at(upstream.url, max_tokens=7)), tmp_path) as served:
        body = CHAT | {"max_tokens": None, "functions": None, "modalities": None, "its_own": None}
        answer = await served.client.post("/v1/chat/completions", body)
        assert upstream.seen[-1].json() == CHAT | {"model": CHAT_MODEL, "its_own": None, "max_tokens": 7}
        assert "`max_tokens` was not given" in answer.headers["x-llama-warnings"]


async def test_a_configured_limit_is_sent_where_a_request_has_none(tmp_path: Path, upstream: Upstream) -> None:
    async with serving(run_config(openai_at(upstream.url, max_tokens=7)), tmp_path) as served:
        for given, sent in (({}, 7), ({"max_tokens": 3}, 3), ({"max_completion_tokens": 3}, None)):
            answer = await served.client.post("/v1/chat/completions", CHAT | given)
            assert upstream.seen[-1].json().get("max_tokens") == sent
            assert ("x-llama-warnings" in answer.headers) == (sent == 7)


async def test_a_vendor_that_cannot_be_reached_is_told_in_health_and_in_answers(tmp_path: Path) -> None:
    async with serving(run_config(openai_at("http://127.0.0.1:9/v1")), tmp_path) as served:
        health = (await served.client.get("/v1/providers/vendor")).json()["health"]
        assert (health["state"], "cannot be reached" in health["message"]) == ("degraded", True)
        assert (await served.client.post("/v1/chat/completions", CHAT)).status == 503
        assert (await served.client.get("/v1/health")).status == 200


async def test_a_provider_without_an_address_says_what_to_set(tmp_path: Path) -> None:
    vllm = {"provider_id": "vllm", "provider_type": "remote::vllm"}
    async with serving(run_config(vllm), tmp_path) as served:
        said = served.stack.degraded()["vllm"]
        assert said == "provider `vllm` has no address (set `base_url` in its config, or VLLM_URL)"
        answer = await served.client.post("/v1/chat/completions", CHAT | {"model": "vllm/m"})
        assert (answer.status, answer.error["code"]) == (503, "provider_unavailable")


async def test_a_model_of_a_provider_that_is_off_says_what_turns_it_on(tmp_path: Path) -> None:
    off = {"provider_id": "${env.NOBODY_KEY:+groq}", "provider_type": "remote::groq"}
    async with serving(run_config(openai_at("http://127.0.0.1:9/v1"), off), tmp_path) as served:
        answer = await served.client.post("/v1/chat/completions", CHAT | {"model": "groq/llama"})
    assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    assert "provider `groq` is off: set NOBODY_KEY, and start the server again" in answer.error["message"]
