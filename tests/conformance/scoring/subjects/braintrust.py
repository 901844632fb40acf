"""The scorers of autoevals, the library itself, over a vendor that judges by words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.scoring.subject import Subject
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind
from runtime.conformance.upstream import EMBEDDING_MODEL, refusal, upstream_server
from runtime.providers.scoring.braintrust.scorers import SCORERS
from tests.support.autoevals_model import JUDGE, AutoevalsModel
from tests.support.stacks import openai_at

KEY = "sk-configured-secret"
GOOD = {
    "input_query": "Which animal grazes?",
    "generated_answer": "A Quagga grazes",
    "expected_answer": "A Quagga grazes",
    "context": ["A Quagga grazes over there", "Nobody knows why"],
}
BAD = {**GOOD, "generated_answer": "It rains", "context": "Nothing moves"}


def failing(upstream: AutoevalsModel) -> None:
    async def refuse(_: Any) -> Any:
        return refusal(500, f"with {KEY} it does not work")

    upstream.misbehaves = refuse


def scorer(name: str) -> Kind:
    @asynccontextmanager
    async def wire(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
        async with upstream_server(make=AutoevalsModel) as vendor:
            models = {"judge_model": f"vendor/{JUDGE}", "embedding_model": f"vendor/{EMBEDDING_MODEL}"}
            scoring = {"provider_id": "braintrust", "provider_type": "inline::braintrust", "config": models}
            run = run_config(providers={"inference": [openai_at(vendor.url)], "scoring": [scoring]})
            async with serving(run, folder) as served:
                yield Subject(
                    client=served.client, function=f"braintrust::{name}", good=GOOD, bad=BAD, secret=KEY,
                    wrong_params={"type": "basic", "options": {"judge": "x"}}, fail=lambda: failing(vendor),
                )  # fmt: skip

    return Kind(make=wire, abilities=frozenset({"fails", "wrong_params"}))


SUBJECTS = {name: scorer(name) for name in SCORERS}
