"""A tiny reranker of random weights, computed by the transformers library."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.conformance.inference.subject import Subject
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind
from tests.support.tiny_rerankers import write_judge


@asynccontextmanager
async def tiny(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    config = {"model": str(write_judge(folder / "judge", tokens=4096)), "device": "cpu"}
    provider = {"provider_id": "hf", "provider_type": "inline::transformers", "config": config}
    async with serving(run_config(provider), folder) as served:
        yield Subject(client=served.client, reranker="hf/judge", is_random=True)


SUBJECTS = {"tiny_judge": Kind(make=tiny, abilities=frozenset({"rerank"}))}
