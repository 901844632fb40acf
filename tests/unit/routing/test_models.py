"""The models API over HTTP: registering, aliases, what is refused and with which words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Upstream
from tests.support.stacks import openai_at, serving

MESSAGES = [{"role": "user", "content": "hi"}]


@pytest_asyncio.fixture
async def client(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Client]:
    """Two providers, `a` and `b`, with the same models."""
    models = [{"model_id": "fixed", "provider_id": "b", "provider_model_id": CHAT_MODEL}]
    async with serving(
        run_config(openai_at(upstream.url, "a"), openai_at(upstream.url, "b"), models=models), tmp_path
    ) as served:
        yield served.client


async def test_a_model_satisfies_openai_s_and_both_eras_of_llama_stack_s_clients(client: Client) -> None:
    model = (await client.get(f"/v1/models/a/{CHAT_MODEL}")).json()
    assert isinstance(model.pop("created"), int)
    assert model == {
        "id": f"a/{CHAT_MODEL}", "object": "model", "owned_by": "a",
        "custom_metadata": {"model_type": "llm", "provider_id": "a", "provider_resource_id": CHAT_MODEL},
        "identifier": f"a/{CHAT_MODEL}", "provider_id": "a", "provider_resource_id": CHAT_MODEL, "type": "model",
        "model_type": "llm", "metadata": {},
    }  # fmt: skip


async def test_every_listed_model_can_be_got(client: Client) -> None:
    listed = (await client.get("/v1/models")).json()
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == [
        *(f"a/{CHAT_MODEL}", f"a/{EMBEDDING_MODEL}"),
        *(f"b/{CHAT_MODEL}", "fixed", f"b/{EMBEDDING_MODEL}"),
    ]
    for model in listed["data"]:
        assert (await client.get(f"/v1/models/{model['id']}")).json() == model


async def test_a_bare_name_of_two_providers_is_ambiguous_until_it_is_registered(client: Client) -> None:
    body = {"model": CHAT_MODEL, "messages": MESSAGES}
    refused = await client.post("/v1/chat/completions", body)
    assert (refused.status, refused.error["code"]) == (400, "model_ambiguous")
    assert f"`a/{CHAT_MODEL}`, `b/{CHAT_MODEL}`" in refused.error["message"]
    registered = await client.post("/v1/models", {"model_id": CHAT_MODEL, "provider_id": "b"})
    assert registered.json()["provider_id"] == "b"
    assert (await client.post("/v1/chat/completions", body)).json()["model"] == CHAT_MODEL


async def test_an_alias_of_a_known_model_needs_no_provider_and_has_its_facts(client: Client) -> None:
    body = {"model_id": "mine", "provider_model_id": f"a/{EMBEDDING_MODEL}", "metadata": {"embedding_dimension": 8}}
    model = (await client.post("/v1/models", body)).json()
    assert (model["provider_id"], model["provider_resource_id"], model["model_type"]) == (
        "a",
        EMBEDDING_MODEL,
        "embedding",
    )


@pytest.mark.parametrize(
    ("body", "status", "param", "words"),
    [
        ({"model_id": "mine", "provider_id": "c"}, 400, "provider_id", "there are a, b"),
        ({"model_id": "mine"}, 400, "provider_id", "give `provider_id`: `a`, `b`"),
        (
            {"model_id": "fixed", "provider_id": "a", "provider_model_id": CHAT_MODEL},
            409,
            "model_id",
            "comes from the run config, with another `provider_id`",
        ),
        (
            {"model_id": f"a/{CHAT_MODEL}", "provider_id": "b", "provider_model_id": CHAT_MODEL},
            409,
            "model_id",
            "already listed by provider `a`",
        ),
        ({"model_id": "e", "provider_id": "a", "model_type": "embedding"}, 400, "metadata", "embedding_dimension"),
        ({"model_id": "", "provider_id": "a"}, 400, "model_id", "at least 1 character"),
        ({"model_id": "m\n\x1b[2J", "provider_id": "a"}, 400, "model_id", "printable characters"),
        ({"model_id": " ", "provider_id": "a"}, 400, "model_id", "printable characters"),
        ({"model_id": "m", "provider_id": "a", "colour": "red"}, 400, "colour", "unknown field `colour`"),
        (
            {"model_id": "m", "provider_id": "a", "model_type": "painter"},
            400,
            "model_type",
            "`llm`, `embedding` or `rerank`",
        ),
    ],
)
async def test_a_registration_that_cannot_be_is_refused(
    client: Client, body: dict[str, Any], status: int, param: str, words: str
) -> None:
    answer = await client.post("/v1/models", body)
    assert (answer.status, answer.error["param"]) == (status, param)
    assert words in answer.error["message"]


async def test_registering_twice_is_registering_once(client: Client) -> None:
    body = {"model_id": "mine", "provider_id": "a", "provider_model_id": CHAT_MODEL}
    assert [(await client.post("/v1/models", body)).status for _ in range(2)] == [200, 200]
    assert [model["id"] for model in (await client.get("/v1/models")).json()["data"]].count("mine") == 1


@pytest.mark.parametrize(("name", "status"), [("fixed", 409), (f"a/{CHAT_MODEL}", 409), ("nobody", 404)])
async def test_only_a_registration_can_be_removed(client: Client, name: str, status: int) -> None:
    assert (await client.request("DELETE", f"/v1/models/{name}")).status == status


async def test_a_model_of_another_type_is_refused_by_name(client: Client) -> None:
    answer = await client.post("/v1/embeddings", {"model": f"a/{CHAT_MODEL}-embed", "input": "x"})
    assert answer.status == 404
    answer = await client.post("/v1/chat/completions", {"model": f"a/{EMBEDDING_MODEL}", "messages": MESSAGES})
    assert (answer.status, answer.error["code"]) == (400, "model_type_mismatch")
    assert answer.error["message"].endswith("this needs `llm`\nhint: of this type: `fixed`")


async def test_a_provider_that_stops_listing_keeps_what_it_listed(client: Client, upstream: Upstream) -> None:
    async def down(_: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    upstream.misbehaves = down
    assert (await client.get("/v1/models/a/other")).status == 404
    assert (await client.get(f"/v1/models/a/{CHAT_MODEL}")).status == 200


async def test_a_name_that_comes_before_the_first_listing_waits_for_it(upstream: Upstream, tmp_path: Path) -> None:
    asked, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        asked.set()
        await goes_on.wait()
        return web.json_response({"data": [{"id": CHAT_MODEL}]})

    upstream.misbehaves = slow
    async with serving(run_config(openai_at(upstream.url)), tmp_path, settled=False) as served:
        early = asyncio.create_task(served.client.get(f"/v1/models/{CHAT_MODEL}"))
        await asked.wait()
        assert not early.done()
        goes_on.set()
        assert (await early).json()["id"] == f"vendor/{CHAT_MODEL}"


async def test_the_list_is_written_once_for_each_state_of_the_table(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run_config(openai_at(upstream.url, "a")), tmp_path) as served:
        models = served.stack.api("models")
        first = await models.list_models(None)
        assert await models.list_models(None) is first
        assert (await served.client.get("/v1/models")).body == first.data
        await served.client.post("/v1/models", {"model_id": "mine", "provider_id": "a"})
        assert "mine" in [model["id"] for model in (await models.list_models(None)).value()["data"]]


@pytest.mark.parametrize("value", [b"NaN", b"[-Infinity]", b'{"b": 1e999}', b"9" * 5000])
async def test_metadata_that_is_no_json_is_refused_and_spoils_no_list(client: Client, value: bytes) -> None:
    body = b'{"model_id": "odd", "provider_id": "a", "metadata": {"x": %b}}' % value
    answer = await client.post("/v1/models", body=body)
    assert answer.status == 400, answer.body
    listed = (await client.get("/v1/models")).body
    assert b"odd" not in listed and b"NaN" not in listed


@pytest.mark.parametrize("name", ["a//srv/models/llama", "/srv/llama", "x///y"])
@pytest.mark.parametrize("place", ["/v1/models/", "//v1//models/", "/v1/openai/v1/models/"])
async def test_a_model_whose_name_is_a_path_is_found_by_it(client: Client, name: str, place: str) -> None:
    await client.post("/v1/models", {"model_id": name, "provider_id": "a", "provider_model_id": "/srv/llama"})
    for written in (name, quote(name, safe=""), f"{name}/"):
        assert (await client.get(place + written)).json()["id"] == name
    assert (await client.request("DELETE", place + name)).status == 204
    assert (await client.get(place + name)).status == 404
