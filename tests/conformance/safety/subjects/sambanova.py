"""Llama Guard at SambaNova, with the chat template of its weights, and given the task."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.safety.subject import Subject
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind
from runtime.conformance.upstream import upstream_server
from tests.conformance.safety.subjects.llama_guard import KEY, failing
from tests.support.guard_model import HARMFUL, HARMLESS
from tests.support.sambanova import GUARD, SambaNova


def hosted(**settings: Any) -> Kind:
    @asynccontextmanager
    async def wire(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
        async with upstream_server(make=SambaNova) as vendor:
            vendor.key, vendor.template = KEY, settings.get("form") != "task"
            provider = {"provider_id": "sambanova", "provider_type": "remote::sambanova"}
            run = run_config(
                providers={"safety": [{**provider, "config": {"url": vendor.url, "api_key": KEY, **settings}}]},
                registered_resources={"shields": [{"shield_id": "s", "provider_shield_id": GUARD}]},
            )
            async with serving(run, folder) as served:
                yield Subject(
                    client=served.client, shield="s", harmful=HARMFUL, harmless=HARMLESS, secret=KEY,
                    fail=lambda: failing(vendor),
                )  # fmt: skip

    return Kind(make=wire, abilities=frozenset({"fails", "long_texts"}))


SUBJECTS = {"conversation": hosted(), "task": hosted(form="task")}
