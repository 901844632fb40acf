"""Vector stores with the models that come with us: what is meant is found, not just what shares words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.stacks import run_config, serving

pytestmark = [pytest.mark.smollm2, pytest.mark.asyncio(loop_scope="module")]
TEXTS = {
    "refunds": "Customers get their money back when they return an article within thirty days.",
    "opening": "The shop is open from nine in the morning until six in the evening, on Sundays it is closed.",
    "shipping": "Parcels are delivered to your door by a courier, usually on the second working day.",
    "privacy": "We never give your address to anybody else, and delete it when you close your account.",
    "vacancy": "We are looking for a baker who likes to get up early; write to us if you want to work here.",
    "allergy": "Our bread may contain traces of nuts, milk and sesame.",
}
QUESTIONS = {
    "Can I send something back and be reimbursed?": "refunds",
    "What are your business hours?": "opening",
    "How do I receive my order?": "shipping",
    "Who sees my personal data?": "privacy",
    "Do you have a job for me?": "vacancy",
    "I cannot eat peanuts, is your food safe?": "allergy",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def search(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    """Finds the documents of a question."""
    providers = {
        "inference": [{"provider_id": "embedded", "provider_type": "inline::sentence-transformers"}],
        "vector_io": [{"provider_id": "chromadb", "provider_type": "inline::chromadb"}],
    }
    async with serving(run_config(providers=providers), Path(tmp_path_factory.mktemp("state"))) as served:

        async def post(path: str, body: Any) -> Any:
            answered = await served.client.post(path, json=body)
            assert answered.status in (200, 204), answered.body
            return answered.json() if answered.body else None

        store = (await post("/v1/vector_stores", {}))["id"]
        chunks = [{"content": text, "metadata": {"document_id": name}} for name, text in TEXTS.items()]
        await post("/v1/vector-io/insert", {"vector_store_id": store, "chunks": chunks})

        async def found(query: str, **facts: Any) -> list[str]:
            hits = (await post(f"/v1/vector_stores/{store}/search", {"query": query, **facts}))["data"]
            return [hit["file_id"] for hit in hits]

        yield found


@pytest.mark.parametrize("mode", ["vector", "hybrid"])
async def test_a_question_in_other_words_finds_its_answer(search: Any, mode: str) -> None:
    first = {question: (await search(question, search_mode=mode))[0] for question in QUESTIONS}
    right = sum(first[question] == answer for question, answer in QUESTIONS.items())
    assert right >= len(QUESTIONS) - (mode == "hybrid"), first


async def test_the_reranking_model_finds_them_as_well(search: Any) -> None:
    asked = {"ranking_options": {"ranker": "neural"}, "max_num_results": 2}
    found = {question: await search(question, **asked) for question in QUESTIONS}
    assert sum(answer in found[question] for question, answer in QUESTIONS.items()) >= len(QUESTIONS) - 1, found
