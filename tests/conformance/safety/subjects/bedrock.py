"""A guardrail of Bedrock, at wire level."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.safety.subject import Subject
from runtime.conformance.stacks import Served, run_config, serving
from runtime.conformance.subjects import Kind
from tests.support.aws import HARMFUL, HARMFUL_PNG, HARMLESS, KEY_ID, SECRET, AwsServer, aws_server

GUARDRAIL = "abc123def456"


def png(data: bytes) -> str:
    return f"data:image/png;base64,{b64encode(data).decode()}"


@asynccontextmanager
async def bedrock(
    server: AwsServer, folder: Path, *, params: dict[str, Any] | None = None, guardrail: str = GUARDRAIL, **config: Any
) -> AsyncIterator[Served]:
    """A stack with the shield `s`."""
    settings = {
        "region_name": server.region,
        "endpoint_url": server.url,
        "aws_access_key_id": KEY_ID,
        "aws_secret_access_key": SECRET,
        **config,
    }
    given = {name: value for name, value in settings.items() if value is not None}
    shield = {"shield_id": "s", "provider_shield_id": guardrail, "params": params}
    run = run_config(
        providers={"safety": [{"provider_id": "bedrock", "provider_type": "remote::bedrock", "config": given}]},
        registered_resources={"shields": [shield]},
    )
    async with serving(run, folder) as served:
        yield served


@asynccontextmanager
async def subject(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    async with aws_server() as server, bedrock(server, folder) as served:

        def fail() -> None:
            server.answers = [(500, {"message": f"with {SECRET} it does not work"}, {})]

        yield Subject(
            client=served.client, shield="s", harmful=HARMFUL, harmless=HARMLESS, harmful_image=png(HARMFUL_PNG),
            harmless_image=png(b"\x89PNG\r\n\x1a\ncat"), secret=SECRET, fail=fail,
        )  # fmt: skip


SUBJECTS = {"guardrail": Kind(make=subject, abilities=frozenset({"fails", "images", "long_texts"}))}
