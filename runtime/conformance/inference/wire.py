"""Any provider that speaks OpenAI's protocol, with a local server that answers as OpenAI documents it, or as another
vendor does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.inference.subject import OPENAI, Subject, within
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL, Upstream, upstream_server
from runtime.spec import Spec

MODELS = {"llm": CHAT_MODEL, "embedding": EMBEDDING_MODEL, "rerank": RERANK_MODEL}
KEY = "sk-configured-secret"


def wire(
    spec: Spec,
    *,
    make: Callable[[], Upstream] = Upstream,
    has: frozenset[str] = OPENAI,
    config: Mapping[str, Any] | Callable[[Upstream], Mapping[str, Any]] | None = None,
    registered: Collection[str] = (),
    key: str = KEY,
    chat: str = CHAT_MODEL,
) -> Kind:
    """spec: its config has `base_url` and `api_key`. make: the vendor's server. has: what both can do. config: what the
    provider needs besides address and key, or what makes it of the running server. registered: kinds of models, such
    as `rerank`, that the vendor's list leaves out, so that the user registers one. key: the one that the server
    accepts. chat: the vendor's name of its chat model.
    """

    @asynccontextmanager
    async def made(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
        async with upstream_server(make=make) as upstream:
            upstream.key = key
            upstream.models = [chat, EMBEDDING_MODEL, RERANK_MODEL]
            more = config(upstream) if callable(config) else config or {}
            settings = {"base_url": upstream.url, "api_key": key, **more}
            provider = {"provider_id": "vendor", "provider_type": spec.provider_type, "config": settings}
            models = [{"model_id": MODELS[kind], "provider_id": "vendor", "model_type": kind} for kind in registered]
            async with serving(run_config(provider, models=models or None), folder, specs=[spec]) as served:
                yield Subject(
                    client=served.client,
                    chat=f"vendor/{chat}",
                    embedding=f"vendor/{EMBEDDING_MODEL}",
                    reranker=f"vendor/{RERANK_MODEL}",
                    seen=lambda: upstream.read(upstream.seen[-1].path, upstream.seen[-1].json()),
                    hold=upstream.gate.clear,
                    release=upstream.gate.set,
                    ended=lambda: within(upstream.ended_early.wait()),
                )

    always = {"passes_unknown_fields", "closes"} if "chat" in has else set()
    if "tools" in has:
        always |= {"calls_unasked"}  # the server calls a function wherever it may
    return Kind(make=made, abilities=has | always)
