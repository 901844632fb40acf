"""Reranking at each vendor in its own words, and the models that it lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.contexts import provider_context
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL, Refused
from runtime.providers.inference.nvidia.adapter import NvidiaInference
from runtime.providers.inference.nvidia.config import NvidiaConfig
from tests.conformance.inference.at_vendor import ABSENT, SPECS, asked, at, reranking

DOCUMENTS = ["a dog", "a cat"]


@pytest.mark.parametrize(
    ("name", "path", "sent"),
    [
        ("vllm", "/v1/rerank", {"query": "cat", "documents": DOCUMENTS, "top_n": 1}),
        ("llama-cpp-server", "/v1/rerank", {"query": "cat", "documents": DOCUMENTS, "top_n": 1}),
        ("sglang", "/v1/rerank", {"query": "cat", "documents": DOCUMENTS, "top_n": ABSENT}),
        ("text-embeddings-inference", "/rerank", {"query": "cat", "texts": DOCUMENTS, "top_n": ABSENT}),
        (
            "nvidia",
            "/v1/ranking",
            {"query": {"text": "cat"}, "passages": [{"text": text} for text in DOCUMENTS], "top_n": ABSENT},
        ),
        ("cohere", "/v2/rerank", {"query": "cat", "documents": DOCUMENTS, "top_n": 1, "max_tokens_per_doc": 9}),
        ("voyage", "/v1/rerank", {"query": "cat", "documents": DOCUMENTS, "top_k": 1, "top_n": ABSENT}),
        ("jina", "/v1/rerank", {"query": "cat", "documents": DOCUMENTS, "top_n": 1}),
        ("deepinfra", f"/v1/inference/{RERANK_MODEL}", {"queries": ["cat"], "documents": DOCUMENTS, "top_n": ABSENT}),
        ("dashscope", "/compatible-api/v1/reranks", {"query": "cat", "documents": DOCUMENTS, "top_n": 1}),
    ],
)
async def test_a_vendor_is_asked_in_its_own_words(tmp_path: Path, name: str, path: str, sent: dict[str, Any]) -> None:
    async with at(name, tmp_path) as (client, upstream):
        upstream.models = [RERANK_MODEL]
        fields = {"top_n": 1, "max_tokens_per_doc": 9, "return_documents": True, "truncate": "END"}
        answer = await client.post("/v1/rerank", reranking(**fields))
        assert answer.status == 200, answer.body
        (result,) = answer.json()["results"]
        assert (result["index"], result["document"]) == (1, {"text": "a cat"})
        assert upstream.seen[-1].path == path
        body = asked(upstream)[-1]
        assert {field: body.get(field, ABSENT) for field in sent} == sent
        assert (body["model"], body["truncate"]) == (RERANK_MODEL, "END")  # a field of the vendor's own is sent on
        assert "return_documents" not in body
        warnings = answer.headers.get("x-llama-warnings", "")
        assert ("`max_tokens_per_doc` has no effect" in warnings) == ("max_tokens_per_doc" not in sent)


@pytest.mark.parametrize("path", ["/v1/rerank", "/v1alpha/inference/rerank", "/v1/inference/rerank"])
async def test_every_route_for_reranking_reaches_the_vendor(tmp_path: Path, path: str) -> None:
    async with at("cohere", tmp_path) as (client, upstream):
        upstream.models = [RERANK_MODEL]
        body = reranking()
        if path != "/v1/rerank":
            body = {"model": body["model"], "query": body["query"], "items": body["documents"]}
        answer = await client.post(path, body)
        assert answer.status == 200, answer.body
        assert asked(upstream)[-1]["documents"] == DOCUMENTS


@pytest.mark.parametrize(("field", "value"), [("top_n", 0), ("top_n", 1), ("return_documents", "yes")])
async def test_llama_stack_s_form_has_fields_of_its_own(tmp_path: Path, field: str, value: Any) -> None:
    async with at("cohere", tmp_path) as (client, upstream):
        upstream.models = [RERANK_MODEL]
        body = {"model": f"vendor/{RERANK_MODEL}", "query": "cat", "items": DOCUMENTS, field: value}
        answer = await client.post("/v1/inference/rerank", body)
        assert (answer.status, answer.error["param"]) == (400, field)
        assert asked(upstream) == []


async def test_a_model_s_name_leads_to_no_other_address(tmp_path: Path) -> None:
    async with at("deepinfra", tmp_path) as (client, upstream):
        upstream.models = []  # it lists nothing, so any name may be one of its models
        answer = await client.post("/v1/rerank", {**reranking(), "model": "vendor/../openai/embeddings"})
        assert (answer.status, answer.error["param"]) == (400, "model")
        assert asked(upstream) == []


async def test_a_vendor_without_reranking_is_a_501_that_names_it(tmp_path: Path) -> None:
    async with at("groq", tmp_path) as (client, upstream):
        upstream.models = [RERANK_MODEL]
        answer = await client.post("/v1/rerank", reranking())
        assert answer.status == 501 and "`vendor` has no reranking" in answer.error["message"]
        assert asked(upstream) == []


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("cohere", {CHAT_MODEL: "llm", EMBEDDING_MODEL: "embedding", "ranker-3": "rerank"}),
        ("databricks", {CHAT_MODEL: "llm", "gte-large-en": "embedding"}),
        ("text-embeddings-inference", {EMBEDDING_MODEL: "embedding"}),
        ("text-embeddings-inference", {RERANK_MODEL: "rerank"}),
    ],
)
async def test_a_list_that_says_what_models_are_for_is_believed(
    tmp_path: Path, name: str, listed: dict[str, str]
) -> None:
    async with at(name, tmp_path) as (client, upstream):
        upstream.models = [*listed]
        await client.get("/v1/models/vendor/unknown")  # the list is asked for again
        models = (await client.get("/v1/models")).json()["data"]
        assert {model["id"]: model["model_type"] for model in models} == {
            f"vendor/{model}": kind for model, kind in listed.items()
        }


@pytest.mark.parametrize(
    ("base_url", "model", "address"),
    [
        (
            "https://integrate.api.nvidia.com/v1",
            "nvidia/llama-3.2-nv-rerankqa-1b-v2",
            "https://ai.api.nvidia.com/v1/retrieval/nvidia/llama-3_2-nv-rerankqa-1b-v2/reranking",
        ),
        (
            "https://integrate.api.nvidia.com/v1",
            "nv-rerank-qa-mistral-4b:1",
            "https://ai.api.nvidia.com/v1/retrieval/nvidia/reranking",
        ),
        ("http://nim:8000/v1", "nvidia/any", "http://nim:8000/v1/ranking"),
        ("http://nim:8000/v1", "mine", "http://other:1/ranking"),
    ],
)
def test_nvidia_s_models_rerank_at_addresses_of_their_own(base_url: str, model: str, address: str) -> None:
    known = {**NvidiaConfig().rerank_model_to_url, "mine": "http://other:1/ranking"}
    config = NvidiaConfig(base_url=base_url, rerank_model_to_url=known)
    adapter = NvidiaInference(config, provider_context(SPECS["nvidia"], key="nvapi-x"))
    assert adapter.url("/ranking", model) == address
    assert adapter.url("/embeddings", model) == f"{base_url}/embeddings"


@pytest.mark.parametrize(
    "name", ["text-embeddings-inference", "voyage", "jina", "cohere", "nvidia", "deepinfra", "sglang", "dashscope"]
)
async def test_a_refusal_keeps_the_vendor_s_status_and_words(tmp_path: Path, name: str) -> None:
    async def refuses(_: web.Request) -> web.StreamResponse:
        raise Refused(422, "the text is too long")

    async def is_full(_: web.Request) -> web.StreamResponse:
        raise Refused(429, "too many at once", headers={"retry-after": "7"})

    async with at(name, tmp_path) as (client, upstream):
        upstream.models = [RERANK_MODEL]
        assert (await client.post("/v1/rerank", reranking())).status == 200
        upstream.misbehaves = refuses
        answer = await client.post("/v1/rerank", reranking())
        assert answer.status == 422 and "`vendor`" in answer.error["message"]
        assert "the text is too long" in answer.error["message"]
        upstream.misbehaves = is_full
        answer = await client.post("/v1/rerank", reranking())
        assert (answer.status, answer.headers["retry-after"]) == (429, "7")
        assert "too many at once" in answer.error["message"]


async def test_an_answer_that_is_no_ranking_is_a_502_that_says_why(tmp_path: Path) -> None:
    async def ranks_nothing(_: web.Request) -> web.StreamResponse:
        return web.json_response({"results": [{"index": 7, "relevance_score": 1}]})

    async with at("jina", tmp_path) as (client, upstream):
        upstream.misbehaves = ranks_nothing
        answer = await client.post("/v1/rerank", reranking())
        assert answer.status == 502
        assert "`vendor` answered a result for document 7 of 2" in answer.error["message"]
