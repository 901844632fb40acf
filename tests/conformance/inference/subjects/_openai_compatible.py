"""Any vendor that speaks OpenAI's protocol, with a local server that answers as the vendor documents it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.conformance.inference.subject import Subject, within
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL, upstream_server
from runtime.spec import Spec
from tests.conformance.inference.vendor import vendor_of

MODELS = {"llm": CHAT_MODEL, "embedding": EMBEDDING_MODEL, "rerank": RERANK_MODEL}


def kind(spec: Spec) -> Kind:
    vendor = vendor_of(spec)

    @asynccontextmanager
    async def wire(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
        async with upstream_server(make=vendor.make) as upstream:
            upstream.key = vendor.key
            upstream.models = [*MODELS.values()]
            config = {"base_url": upstream.url, "api_key": vendor.key, **vendor.config}
            provider = {"provider_id": "vendor", "provider_type": spec.provider_type, "config": config}
            models = [
                {"model_id": MODELS[kind], "provider_id": "vendor", "model_type": kind} for kind in vendor.registered
            ]
            async with serving(run_config(provider, models=models or None), folder) as served:
                yield Subject(
                    client=served.client,
                    chat=f"vendor/{CHAT_MODEL}",
                    embedding=f"vendor/{EMBEDDING_MODEL}",
                    reranker=f"vendor/{RERANK_MODEL}",
                    seen=lambda: upstream.seen[-1].json(),
                    hold=upstream.gate.clear,
                    release=upstream.gate.set,
                    ended=lambda: within(upstream.ended_early.wait()),
                )

    always = {"passes_unknown_fields", "closes"} if "chat" in vendor.has else set()
    if "tools" in vendor.has:
        always |= {"calls_unasked"}  # the server calls a function wherever it may
    return Kind(make=wire, abilities=vendor.has | always)
