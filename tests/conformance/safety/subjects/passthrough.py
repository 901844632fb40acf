"""Another server's moderations: OpenAI's at wire level, and those of a second stack, whose shield is a Llama Guard."""

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
from tests.conformance.safety.subjects.llama_guard import llama_guard
from tests.support.door import door
from tests.support.guard_model import GUARD_4, HARMFUL, HARMFUL_IMAGE, HARMLESS, HARMLESS_IMAGE
from tests.support.moderation_server import MODEL, Moderations

KEY = "sk-configured-secret"


def at(url: str, shield: str) -> Any:
    """A run config of a stack that asks a server about a shield or model of that server's."""
    provider = {"provider_id": "there", "provider_type": "remote::passthrough"}
    return run_config(
        providers={"safety": [{**provider, "config": {"base_url": url, "api_key": KEY}}]},
        registered_resources={"shields": [{"shield_id": "s", "provider_shield_id": shield}]},
    )


@asynccontextmanager
async def openai(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    async with upstream_server(make=Moderations) as vendor:
        vendor.key = KEY

        async def refuse(_: Any) -> Any:
            return refusal(500, f"with {KEY} it does not work")

        def fail() -> None:
            vendor.misbehaves = refuse

        async with serving(at(vendor.url, MODEL), folder) as served:
            yield Subject(
                client=served.client, shield="s", harmful=HARMFUL, harmless=HARMLESS, harmful_image=HARMFUL_IMAGE,
                harmless_image=HARMLESS_IMAGE, secret=KEY, fail=fail,
            )  # fmt: skip


@asynccontextmanager
async def second_stack(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    async with llama_guard(GUARD_4, sees=True).make(folder / "there", request) as there, door() as its_port:
        its_port.client = there.client
        async with serving(at(its_port.url, there.shield), folder / "here") as served:
            yield Subject(
                client=served.client, shield="s", harmful=there.harmful, harmless=there.harmless,
                harmful_image=there.harmful_image, harmless_image=there.harmless_image, secret=KEY, fail=there.fail,
            )  # fmt: skip


SUBJECTS = {
    name: Kind(make=make, abilities=frozenset({"fails", "images", "long_texts"}))
    for name, make in {"openai": openai, "second-stack": second_stack}.items()
}
