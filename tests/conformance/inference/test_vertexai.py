"""Vertex AI: whose project and where, who calls, and which address each kind of model has.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime import catalog
from runtime.conformance.asgi import Client
from runtime.conformance.contexts import provider_context
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import EMBEDDING_MODEL, RERANK_MODEL, Upstream, upstream_server
from runtime.context import RequestContext
from runtime.context import serving as serving_request
from runtime.http.client import HttpClient
from runtime.providers.inference.vertexai.adapter import VertexAIInference
from runtime.providers.inference.vertexai.config import VertexAIConfig
from tests.conformance.inference.at_vendor import HI, SPECS, asked, at
from tests.conformance.inference.vendors.vertexai import GEMINI_MODEL, PROJECT, VENDOR
from tests.support.google import google_server

LLAMA = "meta/llama-4-scout-17b-16e-instruct-maas"
PLACE = f"/v1/projects/{PROJECT}/locations/global"


@asynccontextmanager
async def vertex(folder: Path, *models: str, **config: Any) -> AsyncIterator[tuple[Client, Upstream]]:
    names = [GEMINI_MODEL, LLAMA, EMBEDDING_MODEL, RERANK_MODEL, *models]
    async with at("vertexai", folder, **{"allowed_models": names, **config}) as (client, upstream):
        upstream.models = [*names, "gemini-embedding-001", "gemini-embedding-2", "gemini-2.5-flash"]
        yield client, upstream


def chat(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": f"vendor/{model}", "messages": HI, "max_tokens": 5, **fields}


@pytest.mark.parametrize(
    ("model", "path", "name"),
    [
        (GEMINI_MODEL, f"{PLACE}/publishers/google/models/{GEMINI_MODEL}:generateContent", GEMINI_MODEL),
        (f"google/{GEMINI_MODEL}", f"{PLACE}/publishers/google/models/{GEMINI_MODEL}:generateContent", GEMINI_MODEL),
        (
            f"publishers/google/models/{GEMINI_MODEL}",
            f"{PLACE}/publishers/google/models/{GEMINI_MODEL}:generateContent",
            GEMINI_MODEL,
        ),
        (
            "vertex_ai/gemini-2.5-flash",
            f"{PLACE}/publishers/google/models/gemini-2.5-flash:generateContent",
            "gemini-2.5-flash",
        ),
        (LLAMA, f"{PLACE}/endpoints/openapi/chat/completions", LLAMA),
        ("endpoints/123", f"{PLACE}/endpoints/123/chat/completions", ""),
    ],
)
async def test_each_name_of_a_model_leads_to_its_address(tmp_path: Path, model: str, path: str, name: str) -> None:
    async with vertex(tmp_path, model) as (client, upstream):
        answer = await client.post("/v1/chat/completions", chat(model))
        assert answer.status == 200, answer.body
        assert (upstream.seen[-1].path, asked(upstream)[-1]["model"]) == (path, name)
        assert (await client.post("/v1/chat/completions", chat(model, stream=True))).events()


@pytest.mark.parametrize(
    ("model", "method", "calls"),
    [
        (EMBEDDING_MODEL, "predict", 1),
        ("gemini-embedding-001", "predict", 3),
        ("gemini-embedding-2", "embedContent", 3),
    ],
)
async def test_vectors_come_by_each_model_s_own_method(tmp_path: Path, model: str, method: str, calls: int) -> None:
    async with vertex(tmp_path, model) as (client, upstream):
        body = {"model": f"vendor/{model}", "input": ["a", "b", "c"], "dimensions": 4}
        answer = await client.post("/v1/embeddings", body)
        assert answer.status == 200, answer.body
        assert [len(one["embedding"]) for one in answer.json()["data"]] == [4, 4, 4]
        assert answer.json()["usage"]["prompt_tokens"] == 6
        assert {seen.path.rpartition(":")[2] for seen in upstream.seen} == {method} and len(upstream.seen) == calls


@pytest.mark.parametrize(("model", "path"), [(GEMINI_MODEL, f"{GEMINI_MODEL}:countTokens"), (LLAMA, "")])
async def test_tokens_are_counted_where_the_model_is_gemini(tmp_path: Path, model: str, path: str) -> None:
    async with vertex(tmp_path) as (client, upstream):
        body = {"model": f"vendor/{model}", "input": "one two three", "text": {"format": {"type": "text"}}}
        answer = await client.post("/v1/responses/input_tokens", body)
        assert answer.status == 200 and answer.json()["input_tokens"] >= 3
        assert [seen.path.rpartition("/")[2] for seen in upstream.seen] == ([path] if path else [])


async def test_documents_are_ranked_by_the_ranking_api(tmp_path: Path) -> None:
    async with vertex(tmp_path) as (client, upstream):
        body = {"model": f"vendor/{RERANK_MODEL}", "query": "cat", "documents": ["a dog", "a cat"], "top_n": 1}
        (result,) = (await client.post("/v1/rerank", {**body, "max_tokens_per_doc": 3})).json()["results"]
        assert (result["index"], result["relevance_score"]) == (1, 1.0)
        assert upstream.seen[-1].json() == {
            "model": RERANK_MODEL, "query": "cat", "topN": 1, "ignoreRecordDetailsInResponse": True,
            "records": [{"id": "0", "content": "a dog"}, {"id": "1", "content": "a cat"}],
        }  # fmt: skip
        answer = await client.post("/v1/rerank", {**body, "documents": ["x"] * 201})
        assert (answer.status, answer.error["param"]) == (400, "documents")


async def test_a_caller_s_token_may_have_a_project_and_a_location_of_its_own(tmp_path: Path) -> None:
    async with vertex(tmp_path) as (client, upstream):
        upstream.key = None
        own = {"vertex_access_token": "ya29.own", "vertex_project": "other-project", "vertex_location": "us-east5"}
        brought = {"x-llamastack-provider-data": json.dumps(own)}
        await client.post("/v1/chat/completions", chat(GEMINI_MODEL), headers=brought)
        seen = upstream.seen[-1]
        assert seen.headers["authorization"] == "Bearer ya29.own"
        assert seen.path.startswith("/v1/projects/other-project/locations/us-east5/")
        for wrong in ({"vertex_project": "../x"}, {"vertex_project": ".."}, {"vertex_location": "evil.example/"}):
            headers = {"x-llamastack-provider-data": json.dumps({**own, **wrong})}
            assert (await client.post("/v1/chat/completions", chat(GEMINI_MODEL), headers=headers)).status == 400
        assert upstream.seen[-1] is seen


async def test_a_caller_s_token_of_either_name_has_its_project(tmp_path: Path) -> None:
    async with vertex(tmp_path) as (client, upstream):
        upstream.key = None
        own = {"vendor_access_token": "ya29.own", "vertex_project": "other-project"}
        brought = {"x-llamastack-provider-data": json.dumps(own)}
        await client.post("/v1/chat/completions", chat(GEMINI_MODEL), headers=brought)
        assert upstream.seen[-1].headers["authorization"] == "Bearer ya29.own"
        assert upstream.seen[-1].path.startswith("/v1/projects/other-project/")


@pytest.mark.parametrize("token", [{}, {"vertex_access_token": " "}])
async def test_our_own_token_is_for_our_own_project(tmp_path: Path, token: dict[str, Any]) -> None:
    async with vertex(tmp_path) as (client, upstream):
        brought = {"x-llamastack-provider-data": json.dumps({**token, "vertex_project": "other-project"})}
        answer = await client.post("/v1/chat/completions", chat(GEMINI_MODEL), headers=brought)
        assert answer.status == 200 and upstream.seen[-1].path.startswith(PLACE)
        assert "`vertex_project` has no effect" in answer.headers["x-llama-warnings"]


@pytest.mark.parametrize("kind", ["service_account", "user"])
async def test_a_token_is_got_for_whoever_this_server_runs_as_and_again_after_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    async with google_server() as google, upstream_server(make=VENDOR.make) as upstream:
        file = tmp_path / "credentials.json"
        file.write_text(json.dumps(getattr(google, kind)))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        upstream.key, upstream.models = "token-1", [GEMINI_MODEL]
        config = {"base_url": upstream.url, "project": PROJECT, "allowed_models": [GEMINI_MODEL]}
        provider = {"provider_id": "vendor", "provider_type": "remote::vertexai", "config": config}
        async with serving(run_config(provider), tmp_path) as served:
            for _ in range(2):
                assert (await served.client.post("/v1/chat/completions", chat(GEMINI_MODEL))).status == 200
            assert google.issued == ["token-1"]
            paying = upstream.seen[-1].headers.get("x-goog-user-project")
            assert paying == ("paying-project" if kind == "user" else None)
            upstream.key = "token-2"
            assert (await served.client.post("/v1/chat/completions", chat(GEMINI_MODEL))).status == 200
            assert google.issued == ["token-1", "token-2"]


async def test_without_credentials_it_says_how_to_give_them_and_serves_callers_who_bring_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    async with upstream_server(make=VENDOR.make) as upstream:
        upstream.key, upstream.models = "ya29.own", [GEMINI_MODEL]
        config = {"base_url": upstream.url, "project": PROJECT, "allowed_models": [GEMINI_MODEL]}
        provider = {"provider_id": "vendor", "provider_type": "remote::vertexai", "config": config}
        async with serving(run_config(provider), tmp_path) as served:
            health = (await served.client.get("/v1/providers/vendor")).json()["health"]
            assert health["state"] == "needs-key" and "gcloud auth application-default login" in health["message"]
            answer = await served.client.post("/v1/chat/completions", chat(GEMINI_MODEL))
            assert (answer.status, "has no credentials of Google" in answer.error["message"]) == (503, True)
            brought = {"x-llamastack-provider-data": json.dumps({"vertex_access_token": "ya29.own"})}
            answer = await served.client.post("/v1/chat/completions", chat(GEMINI_MODEL), headers=brought)
            assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("", "aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
    ],
)
async def test_each_location_has_its_host(location: str, host: str) -> None:
    config = VertexAIConfig.model_validate({"project": PROJECT, "location": location, "access_token": "t"})
    http = HttpClient("vertex")
    adapter = VertexAIInference(config, provider_context(SPECS["vertexai"], http=http, key="t"))
    with serving_request(RequestContext()):
        place = await adapter._places.of_request()
    await http.close()
    assert place.root == f"https://{host}/v1/projects/{PROJECT}/locations/{location or 'global'}"
    assert place.ranking.startswith("https://discoveryengine.googleapis.com/v1/projects/my-project/")


def test_the_llama_models_that_it_has_are_those_of_the_catalogue() -> None:
    listed = {name for name in SPECS["vertexai"].facts.models if name.startswith("meta/")}
    known = [model.vendors["vertexai"] for model in catalog.models() if "vertexai" in model.vendors]
    assert listed == {vendor.name for vendor in known if not vendor.remark}  # a remark says that it has ended


@pytest.mark.parametrize("wrong", [{"project": "a/b"}, {"location": "evil.example/"}])
def test_names_that_would_lead_elsewhere_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        VertexAIConfig.model_validate(wrong)
