"""How embeddings and rankings are written out. The encoder itself: `tests/models/test_embedder.py`; the promises of
every inference provider: `runtime/conformance/inference/test_inference.py`.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import numpy as np

from runtime.apis.inference.protocol import EmbeddingsRequest, RerankRequest
from runtime.conformance.stacks import run_config
from runtime.conformance.stacks import serving as serving_stack
from runtime.context import RequestContext, serving
from runtime.engine.encoders.jobs import Embeddings
from runtime.engine.encoders.rankings import Ranking
from runtime.errors import RequestError
from runtime.providers.inference.sentence_transformers import adapter
from runtime.providers.inference.sentence_transformers.adapter import SentenceTransformersInference
from runtime.providers.inference.sentence_transformers.config import SentenceTransformersConfig
from tests.support.contexts import model_context
from tests.support.tiny_encoder import write_cross_encoder, write_embedder

NAME = 'm"é'


class Encoder:
    """Stands in for the encoder, whose vectors do not matter here: as many as it is given texts."""

    dimension, max_tokens = 16, 8

    async def start(self) -> None:
        pass

    def check_embeds(self) -> None:
        pass

    async def embed(self, inputs: list[Any], *, truncate: bool = True) -> Embeddings:
        made = np.arange(len(inputs) * self.dimension, dtype="float32").reshape(len(inputs), self.dimension) / 3
        return Embeddings(vectors=made, prompt_tokens=len(inputs))

    async def rerank(self, query: str, documents: list[str], *, max_tokens: int | None = None) -> Ranking:
        """As many `x` as a document has, of 4; a token for each character."""
        scores = [text[:max_tokens].count("x") / 4 for text in documents]
        tokens = len("".join(documents))
        return Ranking(scores=scores, total_tokens=tokens, query_tokens=len(query), query_read=min(len(query), 8))


@pytest.fixture
async def embedding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SentenceTransformersInference:
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "config.json").write_text('{"hidden_size": 16}')
    monkeypatch.setattr(adapter, "Embedder", lambda *_, **__: Encoder())
    made = SentenceTransformersInference(SentenceTransformersConfig(model=str(folder)), model_context(tmp_path))
    await made.start()
    return made


@pytest.mark.parametrize("encoding_format", ["float", "base64"])
@pytest.mark.parametrize("texts", [1, 2, 2048])
async def test_an_answer_has_openai_s_shape(
    embedding: SentenceTransformersInference, texts: int, encoding_format: Any
) -> None:
    request = EmbeddingsRequest(model=NAME, input=["x"] * texts, encoding_format=encoding_format)
    answer = json.loads((await embedding.embeddings(request)).data)
    assert {key: answer[key] for key in answer if key != "data"} == {
        "object": "list", "model": NAME, "usage": {"prompt_tokens": texts, "total_tokens": texts},
    }  # fmt: skip
    assert [(one["object"], one["index"]) for one in answer["data"]] == [("embedding", n) for n in range(texts)]
    last = answer["data"][-1]["embedding"]
    vector = np.frombuffer(base64.b64decode(last), "<f4") if encoding_format == "base64" else np.float32(last)
    assert np.array_equal(vector, (await Encoder().embed(["x"] * texts)).vectors[-1])


@pytest.mark.parametrize(("texts", "elsewhere"), [(512, False), (513, True)])
async def test_a_large_answer_is_written_beside_the_event_loop(
    embedding: SentenceTransformersInference, monkeypatch: pytest.MonkeyPatch, texts: int, elsewhere: bool
) -> None:
    threads: list[threading.Thread] = []
    reply = adapter._reply

    def noting(*arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return reply(*arguments)

    monkeypatch.setattr(adapter, "_reply", noting)
    await embedding.embeddings(EmbeddingsRequest(model=NAME, input=["x"] * texts))
    assert (threads != [threading.main_thread()]) == elsewhere


async def reranked(provider: SentenceTransformersInference, **fields: Any) -> dict[str, Any]:
    request = {"model": NAME, "query": "q", "documents": ["x", {"text": "xxx", "id": 7}, "", "x"], **fields}
    answer: dict[str, Any] = json.loads((await provider.rerank(RerankRequest.model_validate(request))).data)
    return answer


async def test_a_ranking_has_the_best_first_and_counts_its_tokens(embedding: SentenceTransformersInference) -> None:
    assert await reranked(embedding) == {
        "model": NAME,
        "results": [
            {"index": 1, "relevance_score": 0.75},
            {"index": 0, "relevance_score": 0.25},
            {"index": 3, "relevance_score": 0.25},
            {"index": 2, "relevance_score": 0.0},
        ],
        "usage": {"total_tokens": 5},
    }
    best = (await reranked(embedding, top_n=2, return_documents=True, max_tokens_per_doc=1))["results"]
    assert best == [
        {"index": 0, "relevance_score": 0.25, "document": {"text": "x"}},
        {"index": 1, "relevance_score": 0.25, "document": {"text": "xxx", "id": 7}},
    ]


@pytest.mark.parametrize(("query", "warnings"), [("12345678", 0), ("123456789", 1)])
async def test_a_query_that_is_cut_is_told(embedding: SentenceTransformersInference, query: str, warnings: int) -> None:
    context = RequestContext()
    with serving(context):
        await reranked(embedding, query=query)
    assert len(context.warnings) == warnings
    assert all("`query` has 9 tokens" in words for words in context.warnings)


async def test_fields_that_have_no_effect_are_named(embedding: SentenceTransformersInference) -> None:
    context = RequestContext()
    with serving(context):
        await reranked(embedding, truncate="END", rank_fields=["text"], priority=None)
        await embedding.embeddings(
            EmbeddingsRequest.model_validate({"model": NAME, "input": "x", "input_type": "query"})
        )
    assert context.warnings == ["ignored by this provider: rank_fields, truncate, input_type"]


async def test_what_can_be_reranked_is_listed_beside_what_embeds(embedding: SentenceTransformersInference) -> None:
    embeds, reranks = await embedding.list_models()
    assert (embeds.model_type, reranks.model_type) == ("embedding", "rerank")
    assert reranks.provider_model_id == f"{embeds.provider_model_id}-maxsim"


async def test_how_much_a_model_reads_is_known_before_it_is_loaded(tmp_path: Path) -> None:
    config = SentenceTransformersConfig(model=str(write_embedder(tmp_path)), device="cpu", threads=1)
    made = SentenceTransformersInference(config, model_context(tmp_path))
    early = (await made.list_models())[0].metadata
    await made.start()
    try:
        assert (await made.list_models())[0].metadata == early | {"loaded": True, "state": "loaded"}
    finally:
        await made.stop()
    assert (early["embedding_dimension"], early["loaded"]) == (24, False)


@pytest.fixture
async def ranking(tmp_path: Path) -> AsyncIterator[SentenceTransformersInference]:
    """With a cross-encoder, a real one."""
    folder = tmp_path / "judge"
    folder.mkdir()
    config = SentenceTransformersConfig(model=str(write_cross_encoder(folder)), device="cpu", threads=1)
    made = SentenceTransformersInference(config, model_context(tmp_path))
    early = await made.list_models()
    await made.start()
    late = await made.list_models()
    assert [(one.provider_model_id, one.model_type) for one in early] == [("judge", "rerank")]
    assert early[0].metadata == {"loaded": False, "state": "unloaded", "context_length": 16}
    assert late[0].metadata == early[0].metadata | {"loaded": True, "state": "loaded"}
    yield made
    await made.stop()


async def test_a_cross_encoder_ranks_and_says_what_it_did_not_read(ranking: SentenceTransformersInference) -> None:
    context = RequestContext()
    with serving(context):
        answer = await reranked(
            ranking, model="judge", query="cat", documents=["red", "a b c d " * 4, "dog", "e f g h " * 9], top_n=3
        )
    assert context.warnings == [
        "cut at the end: `documents[1]` and 1 more; `judge` takes 16 tokens of a document and the query together"
    ]
    scores = [result["relevance_score"] for result in answer["results"]]
    assert scores == sorted(scores, reverse=True) and len({*scores}) == 3
    assert answer["usage"] == {"total_tokens": 5 + 16 + 5 + 16}


@pytest.mark.parametrize("dimensions", [None, 7])
async def test_a_cross_encoder_is_asked_for_vectors_in_vain(
    ranking: SentenceTransformersInference, dimensions: int | None
) -> None:
    with pytest.raises(RequestError, match="`judge` is a cross-encoder") as refused:
        await ranking.embeddings(EmbeddingsRequest(model="judge", input="x", dimensions=dimensions))
    assert (refused.value.status, refused.value.param) == (400, "model")


async def test_a_cross_encoder_is_a_reranking_model_at_the_door(tmp_path: Path) -> None:
    folder = tmp_path / "judge"
    folder.mkdir()
    config = {"model": str(write_cross_encoder(folder)), "device": "cpu", "threads": 1}
    provider = {"provider_id": "st", "provider_type": "inline::sentence-transformers", "config": config}
    async with serving_stack(run_config(provider), tmp_path / "state") as served:
        body = {"model": "st/judge", "query": "cat", "documents": ["red", "cat"]}
        answer = (await served.client.post("/v1/rerank", body)).json()
        assert answer["model"] == "st/judge" and {one["index"] for one in answer["results"]} == {0, 1}
        listed = (await served.client.get("/v1/models")).json()["data"]
        kinds = {one["id"]: one["custom_metadata"]["model_type"] for one in listed}
        assert kinds == {"st/judge": "rerank"}
        refused = await served.client.post("/v1/embeddings", {"model": "st/judge", "input": "cat"})
        assert (refused.status, refused.error["code"]) == (400, "model_type_mismatch")
