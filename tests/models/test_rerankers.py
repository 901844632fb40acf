"""Rerankers that transformers computes, against its own models asked one document at a time, without padding."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from runtime.conformance.stacks import Served, run_config, serving
from tests.support.tiny_rerankers import write_judge, write_pairs

LIMIT_S = 60.0
QUERY = "w1 w2 w3"
DOCUMENTS = ["w4 w5", "w6", " ".join(f"w{number}" for number in range(30)), "w4 w5 w7 w8 w9", ""]
INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"
BEGIN = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct"
    ' provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
END = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


def judged(folder: Path, query: str, document: str, instruction: str = INSTRUCTION) -> float:
    """As https://huggingface.co/Qwen/Qwen3-Reranker-0.6B says, read November 2026."""
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    asked = f"<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}"
    ids = [one for text in (BEGIN, asked, END) for one in tokenizer.encode(text, add_special_tokens=False)]
    with torch.inference_mode():
        last = model(input_ids=torch.tensor([ids])).logits[0, -1]
    answers = torch.stack([last[tokenizer.convert_tokens_to_ids("no")], last[tokenizer.convert_tokens_to_ids("yes")]])
    return float(torch.log_softmax(answers, dim=0)[1].exp())


def paired(folder: Path, query: str, document: str) -> float:
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    model: Any = transformers.AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return float(torch.sigmoid(model(**tokenizer(query, document, return_tensors="pt")).logits[0, 0]))


@asynccontextmanager
async def served_at(folder: Path, state: Path, **config: Any) -> AsyncIterator[Served]:
    settings = {"model": str(folder), "device": "cpu", **config}
    provider = {"provider_id": "hf", "provider_type": "inline::transformers", "config": settings}
    async with asyncio.timeout(LIMIT_S), serving(run_config(provider), state) as served:
        yield served


async def scores(served: Served, name: str, documents: list[str], query: str = QUERY, **more: Any) -> list[float]:
    """In the order of the documents."""
    answer = await served.client.post(
        "/v1/rerank", {"model": f"hf/{name}", "query": query, "documents": documents, **more}
    )
    assert answer.status == 200, answer.body
    found = {one["index"]: one["relevance_score"] for one in answer.json()["results"]}
    assert list(found.values()) == sorted(found.values(), reverse=True)
    return [found[place] for place in range(len(found))]


@pytest.mark.oracle
@pytest.mark.parametrize(("write", "alone"), [(write_judge, judged), (write_pairs, paired)])
async def test_scores_are_those_of_each_document_alone(
    tmp_path: Path, write: Callable[[Path], Path], alone: Callable[[Path, str, str], float]
) -> None:
    folder = write(tmp_path / "model")
    async with served_at(folder, tmp_path) as served:
        found = await scores(served, "model", DOCUMENTS)
        [model] = (await served.client.get("/v1/models")).json()["data"]
    assert found == pytest.approx([alone(folder, QUERY, document) for document in DOCUMENTS], abs=1e-5)
    assert len({round(score, 6) for score in found}) > 2
    assert (model["model_type"], model["custom_metadata"]["context_length"]) == (
        "rerank",
        64 if alone is paired else 256,
    )


@pytest.mark.oracle
async def test_a_model_that_judges_is_told_by_what(tmp_path: Path) -> None:
    folder = write_judge(tmp_path / "model")
    async with served_at(folder, tmp_path, instruction="w9 w8") as served:
        found = await scores(served, "model", DOCUMENTS)
    assert found == pytest.approx([judged(folder, QUERY, one, "w9 w8") for one in DOCUMENTS], abs=1e-5)


@pytest.mark.parametrize("write", [write_judge, write_pairs])
async def test_a_document_that_is_too_long_is_cut_and_said(tmp_path: Path, write: Callable[..., Path]) -> None:
    folder, long = write(tmp_path / "model"), " ".join(["w5"] * 400)
    async with served_at(folder, tmp_path) as served:
        answer = await served.client.post(
            "/v1/rerank", {"model": "hf/model", "query": QUERY, "documents": ["w1", long, long]}
        )
        cut = await scores(served, "model", [long, long + " w6"])
        few = await served.client.post(
            "/v1/rerank", {"model": "hf/model", "query": QUERY, "documents": ["w5 w6 w7"], "max_tokens_per_doc": 1}
        )
    assert "`documents[1]` and 1 more" in answer.headers["x-llama-warnings"]
    assert cut[0] == pytest.approx(cut[1])
    assert "`documents[0]`" in few.headers["x-llama-warnings"]


@pytest.mark.parametrize("write", [write_judge, write_pairs])
async def test_a_query_without_room_for_a_document_is_refused(tmp_path: Path, write: Callable[..., Path]) -> None:
    async with served_at(write(tmp_path / "model"), tmp_path) as served:
        body = {"model": "hf/model", "query": " ".join(["w5"] * 400), "documents": ["w1"]}
        refused = await served.client.post("/v1/rerank", body)
    assert (refused.status, refused.error["param"], refused.error["code"]) == (400, "query", "context_length_exceeded")


async def test_many_are_ranked_at_once(tmp_path: Path) -> None:
    folder = write_judge(tmp_path / "model")
    many = [f"w{number} w{number % 7}" for number in range(150)]
    async with served_at(folder, tmp_path) as served:
        whole, *others = await asyncio.gather(
            scores(served, "model", many), *(scores(served, "model", [many[place]]) for place in range(3))
        )
    assert whole[:3] == pytest.approx([one for [one] in others], abs=1e-5)


async def test_what_is_no_reranker_is_said(tmp_path: Path) -> None:
    async with served_at(write_pairs(tmp_path / "model", labels=3), tmp_path) as served:
        refused = await served.client.post("/v1/rerank", {"model": "hf/model", "query": "w1", "documents": ["w2"]})
        chat = await served.client.post("/v1/chat/completions", {"model": "hf/model", "messages": []})
    assert refused.status == 503 and "with 3 labels" in refused.error["message"]
    assert chat.status == 400


async def test_a_model_that_was_not_downloaded_is_named(tmp_path: Path) -> None:
    provider = {"provider_id": "hf", "provider_type": "inline::transformers"}
    async with asyncio.timeout(LIMIT_S), serving(run_config(provider), tmp_path) as served:
        assert "Qwen/Qwen3-Reranker-0.6B" in served.stack.degraded()["hf"]
