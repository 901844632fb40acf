"""The classifier of abuse, with the weights that its package brings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.conformance.safety.subject import Subject
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind


@asynccontextmanager
async def shipped(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    provider = {"provider_id": "profanity-check", "provider_type": "inline::profanity-check"}
    async with serving(run_config(providers={"safety": [provider]}), folder) as served:
        yield Subject(client=served.client, shield="profanity", harmful="You are an idiot", harmless="Have a nice day")


SUBJECTS = {"shipped": Kind(make=shipped, abilities=frozenset({"long_texts"}))}
