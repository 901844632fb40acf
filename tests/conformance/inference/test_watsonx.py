"""Who asks watsonx, who is charged, and what is its own of requests, answers and models."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pytest
from aiohttp import web

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import (
    CHAT_MODEL,
    EMBEDDING_MODEL,
    RERANK_MODEL,
    Upstream,
    started_stream,
    upstream_server,
)
from tests.conformance.inference.at_vendor import ABSENT, SPECS, TOOLS, asked, at, chat, embedding, reranking
from tests.conformance.inference.vendor import vendor_of
from tests.conformance.inference.vendors.watsonx import KEY, PASSWORD, PROJECT, TOKEN, USER, Watsonx, jwt

OTHER = "another-api-key-of-ibm_012345"


def data(**fields: str) -> dict[str, str]:
    """The header in which a caller says something to a provider."""
    return {"x-llamastack-provider-data": json.dumps(fields)}


async def said(client: Client, headers: Mapping[str, str] = MappingProxyType({}), **fields: Any) -> int:
    return (await client.post("/v1/chat/completions", chat(**fields), headers=dict(headers))).status


def of_watsonx(upstream: Upstream) -> Watsonx:
    return cast(Watsonx, upstream)


async def test_a_token_is_got_once_and_anew_before_it_expires(tmp_path: Path) -> None:
    async with at("watsonx", tmp_path) as (client, upstream):
        watsonx = of_watsonx(upstream)
        assert [await said(client) for _ in range(3)] == [200] * 3
        assert watsonx.exchanged == [{"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": KEY}]
        watsonx.issued.clear()  # as after an hour
        assert await said(client) == 200
        assert len(watsonx.exchanged) == 2


async def test_callers_have_tokens_of_their_own(tmp_path: Path) -> None:
    async with at("watsonx", tmp_path) as (client, upstream):
        watsonx = of_watsonx(upstream)
        watsonx.keys = {KEY, OTHER}
        assert [await said(client, data(watsonx_api_key=OTHER)), await said(client)] == [200, 200]
        assert [form["apikey"] for form in watsonx.exchanged] == [KEY, OTHER]  # the first for the list of models
        assert await said(client, data(watsonx_api_key=OTHER)) == 200
        assert len(watsonx.exchanged) == 2
        assert await said(client, data(watsonx_api_key=TOKEN)) == 200  # a token is sent as it is
        assert upstream.seen[-1].headers["authorization"] == f"Bearer {TOKEN}"


async def test_a_key_that_ibm_does_not_know_is_a_401_of_the_caller_s(tmp_path: Path) -> None:
    async with at("watsonx", tmp_path) as (client, upstream):
        answer = await client.post("/v1/chat/completions", chat(), headers=data(watsonx_api_key=OTHER))
        assert (answer.status, answer.error["type"]) == (401, "authentication_error")
        assert "Provided API key could not be found" in answer.error["message"]
        assert OTHER not in answer.body.decode() and asked(upstream) == []


async def test_a_configured_key_that_ibm_does_not_know_is_no_fault_of_the_caller_s(tmp_path: Path) -> None:
    async with at("watsonx", tmp_path, api_key=OTHER, allowed_models=[CHAT_MODEL]) as (client, _):
        answer = await client.post("/v1/chat/completions", chat())
        assert (answer.status, answer.error["code"]) == (502, "upstream_refused_key")
        assert "Provided API key could not be found" in answer.error["message"]
        health = (await client.get("/v1/providers/vendor")).json()["health"]
        assert health["status"] == "Error" and "Provided API key could not be found" in health["message"]
        assert OTHER not in answer.body.decode()


@pytest.mark.parametrize(
    ("config", "sent"),
    [
        ({"api_key": None, "token": TOKEN}, None),
        ({"username": USER}, {"username": USER, "api_key": KEY}),
        ({"username": USER, "password": PASSWORD, "api_key": None}, {"username": USER, "password": PASSWORD}),
        ({"zen_api_key": b64encode(f"{USER}:{KEY}".encode()).decode(), "api_key": None}, None),
    ],
    ids=["token", "user and key", "user and password", "zen"],
)
async def test_a_cluster_and_a_given_token_need_no_iam(
    tmp_path: Path, config: dict[str, Any], sent: dict[str, str] | None
) -> None:
    async with at("watsonx", tmp_path, **config) as (client, upstream):
        assert await said(client) == 200
        assert of_watsonx(upstream).exchanged == ([] if sent is None else [sent])
        assert not upstream.calls("/identity/token")


async def test_a_cluster_s_token_is_renewed_by_what_it_says_itself(tmp_path: Path) -> None:
    async with at("watsonx", tmp_path, username=USER) as (client, upstream):
        watsonx = of_watsonx(upstream)
        watsonx.lives_s = 0.0
        watsonx.issued.clear()
        assert await said(client) == 200
        before = len(watsonx.exchanged)
        assert await said(client) == 200  # the token has expired by its own words, before anybody refuses it
        assert len(watsonx.exchanged) == before + 1


@pytest.mark.parametrize(
    ("config", "headers", "charged"),
    [
        ({}, {}, {"project_id": PROJECT}),
        ({}, data(watsonx_project_id="theirs"), {"project_id": "theirs"}),
        ({"project_id": "", "space_id": "space"}, {}, {"space_id": "space"}),
    ],
)
async def test_somebody_is_charged(
    tmp_path: Path, config: dict[str, Any], headers: dict[str, str], charged: dict[str, str]
) -> None:
    async with at("watsonx", tmp_path, **config) as (client, upstream):
        for path, body in (
            ("chat/completions", chat()),
            ("chat/completions", chat(stream=True)),
            ("embeddings", embedding()),
        ):
            assert (await client.post(f"/v1/{path}", body, headers=headers)).status == 200
        for body in asked(upstream):
            assert {name: body[name] for name in ("project_id", "space_id") if name in body} == charged


async def test_nobody_is_charged_without_a_project(tmp_path: Path) -> None:
    async with at("watsonx", tmp_path, project_id="") as (client, upstream):
        answer = await client.post("/v1/chat/completions", chat())
        assert (answer.status, answer.error["param"]) == (400, "project_id")
        assert "`watsonx_project_id`" in answer.error["message"] and asked(upstream) == []


@pytest.mark.parametrize("url", ["/ml/v1", "/ml/v1/", "/"])
async def test_an_older_config_is_understood(tmp_path: Path, url: str) -> None:
    async with upstream_server(make=vendor_of(SPECS["watsonx"]).make) as upstream:
        config = {
            "url": upstream.url + url,
            "api_key": KEY,
            "iam_url": upstream.url,
            "project_id": PROJECT,
            "timeout": 60,
        }
        provider = {"provider_id": "vendor", "provider_type": "remote::watsonx", "config": config}
        async with serving(run_config(provider), tmp_path) as served:
            assert await said(served.client) == 200


@pytest.mark.parametrize(
    ("choice", "sent", "tools"),
    [
        ("auto", {"tool_choice_option": "auto", "tool_choice": ABSENT}, 2),
        ("none", {"tool_choice_option": "none", "tool_choice": ABSENT}, 2),
        ("required", {"tool_choice_option": "required", "tool_choice": ABSENT}, 2),
        (
            {"type": "function", "function": {"name": "mul"}},
            {"tool_choice": {"type": "function", "function": {"name": "mul"}}, "tool_choice_option": ABSENT},
            2,
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TOOLS[1]]}},
            {"tool_choice_option": "required", "tool_choice": ABSENT},
            1,
        ),
    ],
    ids=["auto", "none", "required", "named", "allowed"],
)
async def test_a_choice_in_words_has_a_field_of_its_own(
    tmp_path: Path, choice: Any, sent: dict[str, Any], tools: int
) -> None:
    async with at("watsonx", tmp_path) as (client, upstream):
        answer = await client.post("/v1/chat/completions", chat(tools=TOOLS, tool_choice=choice))
        assert answer.status == 200, answer.body
        body = asked(upstream)[-1]
        assert {field: body.get(field, ABSENT) for field in sent} == sent
        assert len(body["tools"]) == tools


async def test_answers_and_events_have_openai_s_names(tmp_path: Path) -> None:
    async with at("watsonx", tmp_path) as (client, upstream):
        whole = (await client.post("/v1/chat/completions", chat())).json()
        streamed = await client.post("/v1/chat/completions", chat(stream=True, stream_options={"include_usage": True}))
        assert [seen.path for seen in upstream.seen[-2:]] == ["/ml/v1/text/chat", "/ml/v1/text/chat_stream"]
        assert "stream" not in asked(upstream)[-1]
    assert whole["object"] == "chat.completion" and whole["model"]
    events = streamed.events()
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    assert all(event["model"] for event in events)
    assert b"event: message" not in streamed.body and b"\nid: " not in streamed.body
    assert events[-1]["choices"] == [] and events[-1]["usage"] == whole["usage"]


async def test_an_error_inside_a_stream_is_told(tmp_path: Path) -> None:
    async def fails(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        half = {"model_id": CHAT_MODEL, "choices": [{"index": 0, "delta": {"content": "half"}, "finish_reason": None}]}
        await answer.write(f"id: 1\nevent: message\ndata: {json.dumps(half)}\n\n".encode())
        error = {"errors": [{"code": "downstream_request_failed", "message": "the model is down"}], "status_code": 500}
        await answer.write(f"id: 2\nevent: error\ndata: {json.dumps(error)}\n\n".encode())
        return answer

    async with at("watsonx", tmp_path) as (client, upstream):
        assert await said(client) == 200
        upstream.misbehaves = fails
        payloads = (await client.post("/v1/chat/completions", chat(stream=True))).payloads()
    assert '"half"' in payloads[0]
    assert "the model is down" in payloads[-1] and '"error"' in payloads[-1]


async def test_a_full_quota_keeps_its_status(tmp_path: Path) -> None:
    async def is_full(_: web.Request) -> web.StreamResponse:
        told = {"errors": [{"code": "token_quota_reached", "message": "The quota is used up"}], "trace": "1"}
        return web.json_response(told, status=429, headers={"retry-after": "60"})

    async with at("watsonx", tmp_path) as (client, upstream):
        assert await said(client) == 200
        upstream.misbehaves = is_full
        answer = await client.post("/v1/chat/completions", chat())
    assert (answer.status, answer.error["code"]) == (429, "token_quota_reached")
    assert "The quota is used up" in answer.error["message"]


async def test_models_are_listed_with_what_they_can(tmp_path: Path) -> None:
    async with at("watsonx", tmp_path) as (client, upstream):
        upstream.models = [CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL]
        await client.get("/v1/models/vendor/unknown")  # the list is asked for again
        listed = {model["id"]: model for model in (await client.get("/v1/models")).json()["data"]}
    kinds = {name: model["model_type"] for name, model in listed.items()}
    assert kinds == {
        f"vendor/{CHAT_MODEL}": "llm",
        f"vendor/{EMBEDDING_MODEL}": "embedding",
        f"vendor/{RERANK_MODEL}": "rerank",
    }
    assert listed[f"vendor/{CHAT_MODEL}"]["metadata"]["context_length"] == 4096
    assert listed[f"vendor/{EMBEDDING_MODEL}"]["metadata"]["embedding_dimension"] == 8


async def test_ranking_has_its_settings_below_parameters(tmp_path: Path) -> None:
    async with at("watsonx", tmp_path) as (client, upstream):
        upstream.models = [RERANK_MODEL]
        answer = await client.post("/v1/rerank", reranking(top_n=1, max_tokens_per_doc=9))
        assert answer.status == 200, answer.body
        assert [result["index"] for result in answer.json()["results"]] == [1]
        body = asked(upstream)[-1]
    assert body["inputs"] == [{"text": "a dog"}, {"text": "a cat"}]
    assert body["parameters"] == {"return_options": {"top_n": 1}, "truncate_input_tokens": 9}


async def test_many_texts_are_embedded_in_several_requests(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(1001)]
    async with at("watsonx", tmp_path) as (client, upstream):
        answer = (await client.post("/v1/embeddings", embedding(input=texts))).json()
        assert sorted(len(body["inputs"]) for body in asked(upstream)) == [1, 1000]
        alone = (await client.post("/v1/embeddings", embedding(input=texts[-1]))).json()
    assert [entry["index"] for entry in answer["data"]] == [*range(1001)]
    assert answer["data"][-1]["embedding"] == alone["data"][0]["embedding"]
    assert answer["usage"]["prompt_tokens"] == sum(map(len, texts))


def test_tokens_of_tests_look_like_tokens() -> None:
    assert jwt("x").startswith("eyJ") and jwt("x").count(".") == 2
