"""Bedrock at wire level: by Converse with a signature and with a key, by OpenAI's protocol, and with a Llama."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.inference.subject import OPENAI, Subject, within
from runtime.conformance.stacks import Served, run_config, serving
from runtime.conformance.subjects import Kind, Make
from runtime.conformance.upstream import upstream_server
from tests.support.aws import KEY_ID, SECRET
from tests.support.bedrock import CLAUDE, EMBEDDERS, GPT, LLAMA, REGION, RERANKERS, Bedrock

KEY = "bedrock-api-key-of-the-config"
SIGNED = {"aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET}


@asynccontextmanager
async def bedrock(
    folder: Path, *, env: Mapping[str, str] | None = None, **config: Any
) -> AsyncIterator[tuple[Served, Bedrock]]:
    """A stack with the provider `bedrock`, and Bedrock, in a world with no other variables of AWS. config: in place of
    the usual settings; signed requests unless it has a key. env: variables of this process.
    """
    async with upstream_server(make=Bedrock) as server:
        server.key = KEY
        settings = {"region_name": REGION, **({} if KEY in config.values() else SIGNED), **config}
        given = {name: value for name, value in settings.items() if value is not None}
        provider = {"provider_id": "bedrock", "provider_type": "remote::bedrock", "config": given}
        with pytest.MonkeyPatch.context() as patch:
            for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_PROFILE"):
                patch.delenv(name, raising=False)
            patch.setenv("AWS_ENDPOINT_URL", server.url)
            patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            patch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
            patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            async with serving(run_config(provider), folder) as served:
                yield served, server


def _made(chat: str, **config: Any) -> Make:
    @asynccontextmanager
    async def made(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
        async with bedrock(folder, **config) as (served, server):
            yield Subject(
                client=served.client,
                chat=f"bedrock/{chat}",
                embedding=f"bedrock/{EMBEDDERS[0]}",
                reranker=f"bedrock/{RERANKERS[0]}",
                hold=server.gate.clear,
                release=server.gate.set,
                ended=lambda: within(server.ended_early.wait()),
            )

    return made


CAN = (OPENAI | {"rerank", "closes", "calls_unasked"}) - {"completions", "n", "seed", "logprobs"}
SUBJECTS = {
    "signed": Kind(make=_made(f"eu.{CLAUDE}"), abilities=CAN),
    "key": Kind(make=_made(f"global.{CLAUDE}", api_key=KEY), abilities=CAN),
    "openai": Kind(make=_made(GPT), abilities=CAN),
    "llama": Kind(make=_made(f"eu.{LLAMA}"), abilities=CAN - {"tool_choice", "json_object", "json_schema"}),
}
LIVE = frozenset(CAN - {"closes", "calls_unasked"})
"""Of Amazon's own service."""
