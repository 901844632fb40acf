"""Shields of another server, asked as OpenAI's moderations."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from pydantic import ValidationError

from runtime.conformance.asgi import Answered, Client
from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import refusal, upstream_server
from runtime.providers.safety._user_message import USER_MESSAGE
from runtime.providers.safety.passthrough.config import PassthroughSafetyConfig
from tests.support.door import door
from tests.support.guard_model import HARMFUL, HARMFUL_IMAGE, HARMLESS
from tests.support.listing import until
from tests.support.moderation_server import MODEL, Moderations
from tests.support.stacks import serving


def entry(url: str, **config: Any) -> dict[str, Any]:
    return {"provider_id": "p", "provider_type": "remote::passthrough", "config": {"base_url": url, **config}}


@asynccontextmanager
async def asking(folder: Path, url: str, *, params: Any = None, **config: Any) -> AsyncIterator[Client]:
    shield = {"shield_id": "s", "provider_shield_id": MODEL, "params": params}
    run = run_config(providers={"safety": [entry(url, **config)]}, registered_resources={"shields": [shield]})
    async with serving(run, folder) as served:
        yield served.client


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[Moderations]:
    async with upstream_server(make=Moderations) as running:
        yield running


async def run(client: Client, *messages: Any, **headers: str) -> Answered:
    said = [{"role": "user", "content": one} if isinstance(one, str | list) else one for one in messages]
    return await client.post("/v1/safety/run-shield", {"shield_id": "s", "messages": said}, headers=headers)


def asked(vendor: Moderations) -> list[Any]:
    return [seen.json() for seen in vendor.calls("/moderations")]


async def test_the_last_message_is_its_input(tmp_path: Path, vendor: Moderations) -> None:
    async with asking(tmp_path, f"{vendor.url}/") as client:
        answer = await run(client, HARMLESS, {"role": "assistant", "content": "No."}, HARMFUL)
        assert answer.json()["violation"] == {
            "violation_level": "error",
            "user_message": USER_MESSAGE,
            "metadata": {"categories": ["violence"], "violation_type": "violence"},
        }
        parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
        await run(client, parts)
        image = {"type": "image_url", "image_url": {"url": HARMFUL_IMAGE}}
        found = (await run(client, [*parts, image])).json()["violation"]
        assert found["metadata"]["violation_type"] == "sexual"
    text = {"type": "text", "text": "a\nb"}
    assert asked(vendor) == [{"model": MODEL, "input": given} for given in (HARMFUL, "a\nb", [image, text])]


async def test_its_scores_are_told(tmp_path: Path, vendor: Moderations) -> None:
    async with asking(tmp_path, vendor.url) as client:
        [result] = (await client.post("/v1/moderations", {"input": HARMFUL})).json()["results"]
        assert result["category_scores"]["violence"] == 0.9 and result["category_scores"]["hate"] == 0.01
        assert result["category_applied_input_types"]["violence"] == ["text"]


async def test_params_are_fields_of_its_request(tmp_path: Path, vendor: Moderations) -> None:
    vendor.more_fields = {"policy"}
    async with asking(tmp_path, vendor.url, params={"policy": "strict", "model": "other"}) as client:
        assert (await run(client, HARMLESS)).json() == {"violation": None}
    assert asked(vendor) == [{"policy": "strict", "model": MODEL, "input": HARMLESS}]


async def test_calls_of_tools_are_looked_at(tmp_path: Path, vendor: Moderations) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "search", "arguments": '{"q": "a bomb"}'}}
    async with asking(tmp_path, vendor.url) as client:
        answer = await run(client, {"role": "assistant", "content": None, "tool_calls": [call]})
        assert answer.json()["violation"] is not None


async def test_keys_and_headers_of_callers(tmp_path: Path, vendor: Moderations) -> None:
    vendor.key = "sk-theirs"
    async with asking(tmp_path, vendor.url, forward_headers={"tenant": "X-Tenant"}) as client:
        brought = json.dumps({"passthrough_api_key": "sk-theirs", "tenant": "acme", "other": "secret"})
        assert (await run(client, HARMLESS, **{"x-llamastack-provider-data": brought})).status == 200
        sent = vendor.seen[-1].headers
        assert (sent["authorization"], sent["x-tenant"]) == ("Bearer sk-theirs", "acme")
        assert "secret" not in str(dict(sent))
        wrong = json.dumps({"passthrough_api_key": "sk-wrong"})
        answer = await run(client, HARMLESS, **{"x-llamastack-provider-data": wrong})
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
        elsewhere = json.dumps({"passthrough_url": "http://169.254.169.254/v1"})
        answer = await run(client, HARMLESS, **{"x-llamastack-provider-data": elsewhere})
        assert (answer.status, answer.error["param"]) == (400, "passthrough_url")


async def test_what_it_refuses_is_told_in_its_words(tmp_path: Path, vendor: Moderations) -> None:
    vendor.models = ["other"]
    async with asking(tmp_path, vendor.url) as client:
        answer = await run(client, HARMLESS)
        assert answer.status == 404 and f"`{MODEL}` does not exist" in answer.error["message"]


RESULT: dict[str, Any] = {"flagged": True, "categories": {"hate": True}, "category_scores": {"hate": 0.7}}


@pytest.mark.parametrize(
    "results",
    [
        None,
        [],
        ["safe"],
        [{}],
        [{"flagged": "no"}],
        [{"flagged": None}],
        [{**RESULT, "categories": ["hate"]}],
        [{**RESULT, "category_scores": {"hate": "high"}}],
        [{**RESULT, "metadata": 7}],
        [RESULT, RESULT],
    ],
)
async def test_a_result_that_makes_no_sense_is_an_error(tmp_path: Path, vendor: Moderations, results: Any) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"id": "m", "model": MODEL, "results": results})

    async with asking(tmp_path, vendor.url) as client:
        vendor.misbehaves = answer
        assert (await run(client, HARMLESS)).status == 502


async def test_words_and_metadata_of_another_stack_stay(tmp_path: Path, vendor: Moderations) -> None:
    said = {**RESULT, "categories": {"hate": True, "illicit": None}, "user_message": "No.", "metadata": {"a": 1}}

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"id": "m", "model": MODEL, "results": [said]})

    async with asking(tmp_path, vendor.url) as client:
        vendor.misbehaves = answer
        found = (await run(client, HARMLESS)).json()["violation"]
        assert found["user_message"] == "No."
        assert found["metadata"] == {"categories": ["hate"], "a": 1, "violation_type": "hate"}


async def test_its_health(tmp_path: Path, vendor: Moderations) -> None:
    async def health(client: Client) -> Any:
        [provider] = [one for one in (await client.get("/v1/providers")).json()["data"] if one["provider_id"] == "p"]
        return provider["health"]

    async with asking(tmp_path, vendor.url, api_key="sk-ours") as client:
        assert (await health(client))["status"] == "OK"
        vendor.key = "sk-other"
        assert "refuses the configured key" in (await health(client))["message"]

        async def fail(_: web.Request) -> web.StreamResponse:
            return refusal(503, "down")

        vendor.misbehaves = fail
        assert "status 503" in (await health(client))["message"]

        async def lists_nothing(_: web.Request) -> web.StreamResponse:
            return refusal(404, "no models here")

        vendor.misbehaves = lists_nothing
        assert (await health(client))["status"] == "OK"


async def test_an_address_that_leads_back_is_refused(tmp_path: Path) -> None:
    async with door() as itself:
        shield = {"shield_id": "s"}
        run_it = run_config(providers={"safety": [entry(itself.url)]}, registered_resources={"shields": [shield]})
        async with serving(run_it, tmp_path) as served:
            itself.client = served.client
            health = served.client.get("/v1/providers/p")
            assert "leads back to this server" in (await health).json()["health"]["message"]
            before = itself.asked
            answer = await run(served.client, HARMLESS)
            assert answer.status == 503 and "leads back to this server" in answer.error["message"]
            assert itself.asked == before


async def test_an_address_that_leads_back_at_the_start_is_not_served(tmp_path: Path) -> None:
    async with door() as itself:
        run_it = run_config(
            providers={"safety": [entry(itself.url)]}, registered_resources={"shields": [{"shield_id": "s"}]}
        )
        async with serving(run_it, tmp_path, settled=False) as served:
            itself.client = served.client
            await until(lambda: "leads back" in served.stack.degraded().get("p", ""))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "base_url"),
        ({"base_url": "here"}, "https://"),
        ({"base_url": "http://a", "forward_headers": {"a": "Host"}}, "must not set `Host`"),
        ({"base_url": "http://a", "url": "http://b"}, "url"),
    ],
)
def test_a_wrong_setting_is_refused(config: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        PassthroughSafetyConfig.model_validate(config)


def test_no_headers_may_be_null_as_in_llama_stack() -> None:
    config = {"base_url": "http://a", "forward_headers": None}
    assert PassthroughSafetyConfig.model_validate(config).forward_headers == {}
