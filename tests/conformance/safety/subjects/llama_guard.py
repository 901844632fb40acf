"""Llama Guard over a model of the stack: a vendor that serves it, with and without the chat template of its weights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.safety.subject import Subject
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind
from runtime.conformance.upstream import refusal, upstream_server
from tests.support.guard_model import (
    GUARD_1B,
    GUARD_3,
    GUARD_4,
    HARMFUL,
    HARMFUL_IMAGE,
    HARMLESS,
    HARMLESS_IMAGE,
    GuardModel,
)
from tests.support.stacks import openai_at

KEY = "sk-configured-secret"


def failing(upstream: GuardModel) -> None:
    async def refuse(_: Any) -> Any:
        return refusal(500, f"with {KEY} it does not work")

    upstream.misbehaves = refuse


def llama_guard(model: str, *, sees: bool = False, **settings: Any) -> Kind:
    """A version of Llama Guard, which a vendor serves."""

    @asynccontextmanager
    async def wire(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
        async with upstream_server(make=GuardModel) as vendor:
            vendor.template = settings.get("form") == "conversation"
            guard = {"provider_id": "guard", "provider_type": "inline::llama-guard", "config": settings}
            run = run_config(
                providers={"inference": [openai_at(vendor.url)], "safety": [guard]},
                registered_resources={"shields": [{"shield_id": "s", "provider_shield_id": f"vendor/{model}"}]},
            )
            async with serving(run, folder) as served:
                yield Subject(
                    client=served.client, shield="s", harmful=HARMFUL, harmless=HARMLESS,
                    harmful_image=HARMFUL_IMAGE if sees else "", harmless_image=HARMLESS_IMAGE if sees else "",
                    secret=KEY, fail=lambda: failing(vendor),
                )  # fmt: skip

    return Kind(make=wire, abilities=frozenset({"fails", "long_texts", *(["images"] if sees else [])}))


SUBJECTS = {
    "3-8b": llama_guard(GUARD_3),
    "3-1b": llama_guard(GUARD_1B),
    "4": llama_guard(GUARD_4, sees=True),
    "4-with-a-template": llama_guard(GUARD_4, sees=True, form="conversation"),
}
