"""Prompt Guard: a tiny model of its architecture, which finds one word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.conformance.safety.subject import Subject
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind


def prompt_guard(labels: str) -> Kind:
    """A version, by its labels in `tests.support.tiny_prompt_guard`."""

    @asynccontextmanager
    async def tiny(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
        from tests.support import tiny_prompt_guard as support  # imports torch and transformers

        model = support.write_prompt_guard(folder / "model", getattr(support, labels), finds_harm=True)
        provider = {
            "provider_id": "prompt-guard",
            "provider_type": "inline::prompt-guard",
            "config": {"model": str(model)},
        }
        resources = {"shields": [{"shield_id": "s"}]}
        run = run_config(providers={"safety": [provider]}, registered_resources=resources)
        async with serving(run, folder / "state") as served:
            yield Subject(client=served.client, shield="s", harmful=f"w1 {support.HARMFUL} w2", harmless="w1 w2 w3")

    return Kind(make=tiny, abilities=frozenset({"long_texts"}))


SUBJECTS = {"1": prompt_guard("V1"), "2": prompt_guard("V2")}
