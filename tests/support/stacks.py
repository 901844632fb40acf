"""Stacks for tests: a run config as text, planned and opened for real, with a client at its HTTP door.

Storage is in memory unless a test gives a state folder that is to outlive the stack.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from runtime.config.loading import parse_run_config
from runtime.config.run_config import RunConfig
from runtime.http.transport import Transport
from runtime.routing.table import ResourceTable
from runtime.server.app import make_app
from runtime.stack.kinds import Kind
from runtime.stack.plan import plan
from runtime.stack.planned import PlannedProvider
from runtime.stack.stack import Stack
from tests.support.asgi import Client, living
from tests.support.mounting import mount


def run_config(
    *inference: Mapping[str, Any],
    models: list[dict[str, Any]] | None = None,
    persistent: bool = False,
    env: Mapping[str, str] | None = None,
    **sections: Any,
) -> RunConfig:
    """A run config with these inference providers. persistent: registrations in SQLite instead of memory."""
    document: dict[str, Any] = {"version": 2, "distro_name": "test", "providers": {"inference": list(inference)}}
    if not persistent:
        document["storage"] = {"backends": {"kv_default": {"type": "kv_memory"}}}
    if models is not None:
        document["registered_resources"] = {"models": models}
    # JSON is YAML, and needs no second writer.
    return parse_run_config(json.dumps(document | sections), env=env or {})


def openai_at(url: str, provider_id: str = "vendor", **config: Any) -> dict[str, Any]:
    """An OpenAI-compatible provider at an address."""
    return {
        "provider_id": provider_id,
        "provider_type": "remote::openai",
        "config": {"base_url": url, "api_key": "sk-configured-secret", **config},
    }


@dataclass(frozen=True)
class Served:
    """A stack that is served. client: at its door; stack: behind it."""

    stack: Stack
    client: Client


@asynccontextmanager
async def serving(
    run: RunConfig, state_dir: Path, *, cache_dir: Path | None = None, settled: bool = True,
    aliases: Mapping[str, str] | None = None, transport: Callable[[PlannedProvider], Transport] | None = None,
) -> AsyncIterator[Served]:  # fmt: skip
    """Plan, open, serve and close. settled: wait until every provider has started or failed."""
    stack = Stack(plan(run), run, state_dir=state_dir, cache_dir=cache_dir, aliases=aliases, transport=transport)
    await stack.open()
    async with living(make_app(stack, cors=run.server.cors)) as client:
        if settled:
            await stack.settled.wait()
        yield Served(stack, client)


@asynccontextmanager
async def serving_example(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, state_dir: Path
) -> AsyncIterator[Served]:
    """A stack with the providers that a module of `tests/support/examples` states, each under its own name."""
    mount(monkeypatch, module)
    providers: dict[str, Any] = {"inference": []}
    for api, spec in module.SPECS:
        entry = {"provider_id": spec.name, "provider_type": spec.provider_type}
        providers.setdefault(api, []).append(entry)
    async with serving(run_config(providers=providers), state_dir) as running:
        yield running


def adapter_of(stack: Stack, api: str) -> Any:
    """The first adapter of an API, past its router."""
    return next(adapter for planned, adapter in stack.adapters() if planned.api == api)


def table_of(stack: Stack, api: str = "inference") -> ResourceTable:
    """The table of the resources that an API's providers own."""
    return _kind_of(stack, api).table


def registry_of(stack: Stack, api: str = "inference") -> Any:
    return _kind_of(stack, api).registry


def _kind_of(stack: Stack, api: str) -> Kind:
    kind = stack._kinds.owned_by(api)
    assert kind is not None, f"the providers of {api} own no resources"
    return kind
