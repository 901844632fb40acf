"""A real vendor, with the key of the environment. Only where `LIVE_PROVIDERS` names it: `scripts/provider_live_check`.

Its models are the first of the vendor's list that look small, or those that variables name: `GROQ_CHAT_MODEL`,
`GROQ_EMBEDDING_MODEL`, `GROQ_RERANK_MODEL`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.conformance.asgi import Client
from runtime.conformance.inference.subject import OPENAI, Subject
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind
from runtime.providers.inference._openai_compatible.spec import OpenAICompatible
from runtime.similar import names_for
from runtime.spec import Spec

_KINDS = {"chat": "llm", "embedding": "embedding", "rerank": "rerank"}
_NEEDING = {
    "chat": OPENAI - {"embeddings"},
    "embedding": frozenset({"embeddings"}),
    "rerank": frozenset({"rerank"}),
}
_SMALL = ("8b-instant", "8b", "mini", "small", "lite", "flash", "haiku", "turbo", "fast")
_NOT_PROMISED = {"seed", "limits"}
"""Vendors honour a seed as well as they can; a prompt beyond a context costs money."""


def kinds(spec: Spec, abilities: frozenset[str]) -> dict[str, Kind]:
    """The real vendor, if it was asked for and its variable is set."""
    asked = _names()
    is_asked = spec.name in asked or "all" in asked
    return {"live": kind(spec, abilities)} if is_asked and _is_on(spec) else {}


def plan(specs: Iterable[Spec]) -> list[str]:
    """What will be asked, and why not the rest of what was named, as lines of text; none if nothing was named. Raises
    pytest.UsageError for a name that no vendor has.
    """
    from tests.conformance.inference.subject import live_abilities  # not above: that asks this module

    vendors = {spec.name: spec for spec in specs if live_abilities(spec) is not None}
    if unknown := _names() - {*vendors, "all"}:
        hint = names_for(min(unknown), vendors)
        raise pytest.UsageError(f"there is no vendor `{min(unknown)}`; {hint}")
    named = [spec for name, spec in vendors.items() if {name, "all"} & _names()]
    asked = [spec.name for spec in named if _is_on(spec)]
    passed_over = [f"not asked: {spec.name}, since {spec.enabled_by} is not set" for spec in named if not _is_on(spec)]
    return [f"asked: {', '.join(asked) or 'nobody'}", *passed_over] if named else []


def kind(spec: Spec, abilities: frozenset[str]) -> Kind:
    @asynccontextmanager
    async def live(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
        config = dict(spec.sample_config)
        named = {kind: os.environ.get(variable(spec, kind), "") for kind in _KINDS}
        if isinstance(spec.facts, OpenAICompatible) and not spec.facts.lists_models:
            config["allowed_models"] = [name for name in named.values() if name]
        provider = {"provider_id": spec.name, "provider_type": spec.provider_type, "config": config}
        async with serving(run_config(provider, env=os.environ), folder) as served:
            await _must_serve(served.client, spec)
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

    return Kind(make=live, abilities=abilities - _NOT_PROMISED)


async def _must_serve(client: Client, spec: Spec) -> None:
    """Fails where the vendor is not reached or refuses the key: otherwise its list would only look empty."""
    for provider in (await client.get("/v1/providers")).json()["data"]:
        if provider["provider_id"] == spec.name and provider["health"]["status"] == "Error":
            pytest.fail(f"`{spec.name}` does not serve: {provider['health']['message']}", pytrace=False)


def _names() -> set[str]:
    return {*os.environ.get("LIVE_PROVIDERS", "").split()}


def _is_on(spec: Spec) -> bool:
    return bool(os.environ.get(spec.enabled_by or ""))


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
