"""A real vendor, with the key of the environment. Only where `LIVE_PROVIDERS` names it: `scripts/provider_live_check`.

Its models are the first of the vendor's list that look small, or those that variables name: `GROQ_CHAT_MODEL`,
`GROQ_EMBEDDING_MODEL`, `GROQ_RERANK_MODEL`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.spec import Spec
from tests.conformance.inference.subject import Kind, Subject
from tests.conformance.inference.vendor import OPENAI, vendor_of
from tests.support.stacks import run_config, serving

_KINDS = {"chat": "llm", "embedding": "embedding", "rerank": "rerank"}
_NEEDING = {
    "chat": OPENAI - {"embeddings"},
    "embedding": frozenset({"embeddings"}),
    "rerank": frozenset({"rerank"}),
}
_SMALL = ("8b-instant", "8b", "mini", "small", "lite", "flash", "haiku", "turbo", "fast")
_NOT_PROMISED = {"seed", "limits"}
"""Vendors honour a seed as well as they can; a prompt beyond a context costs money."""


def kinds(spec: Spec) -> dict[str, Kind]:
    """The real vendor, if it was asked for."""
    asked = os.environ.get("LIVE_PROVIDERS", "").split()
    return {"live": kind(spec)} if spec.name in asked or "all" in asked else {}


def kind(spec: Spec) -> Kind:
    @asynccontextmanager
    async def live(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
        config = dict(spec.sample_config)
        named = {kind: os.environ.get(variable(spec, kind), "") for kind in _KINDS}
        if not spec.facts.lists_models:
            config["allowed_models"] = [name for name in named.values() if name]
        provider = {"provider_id": spec.name, "provider_type": spec.provider_type, "config": config}
        async with serving(run_config(provider, env=os.environ), folder) as served:
            listed = (await served.client.get("/v1/models")).json()["data"]
            found, lacks = {}, {}
            for kind, model_type in _KINDS.items():
                ids = [model["id"] for model in listed if model["model_type"] == model_type]
                found[kind] = f"{spec.name}/{named[kind]}" if named[kind] else small_of(ids)
                if not found[kind]:
                    why = f"`{spec.name}` lists no model for it: set {variable(spec, kind)}"
                    lacks |= dict.fromkeys(_NEEDING[kind], why)
            yield Subject(
                client=served.client,
                chat=found["chat"],
                embedding=found["embedding"],
                reranker=found["rerank"],
                lacks=lacks,
            )

    turned_on = bool(os.environ.get(spec.enabled_by or ""))
    needed = pytest.mark.skipif(not turned_on, reason=f"{spec.enabled_by} is not set")
    return Kind(make=live, abilities=vendor_of(spec).has - _NOT_PROMISED, marks=(needed,))


def variable(spec: Spec, kind: str) -> str:
    """The variable that names a model."""
    return f"{spec.name.replace('-', '_').upper()}_{kind.upper()}_MODEL"


def small_of(ids: Sequence[str]) -> str:
    """The first that looks small, else the first; empty if there is none."""
    for sign in _SMALL:
        for name in ids:
            if sign in name.lower():
                return name
    return ids[0] if ids else ""
