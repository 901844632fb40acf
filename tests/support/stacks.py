"""What tests of ours ask of a stack beyond `runtime.conformance.stacks`: a vendor's entry, examples, tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from runtime.config.run_config import RunConfig
from runtime.conformance import stacks
from runtime.conformance.stacks import Served, run_config
from runtime.routing.table import ResourceTable
from runtime.stack.kinds import Kind
from runtime.stack.stack import Stack
from tests.support.mounting import mount


def openai_at(url: str, provider_id: str = "vendor", **config: Any) -> dict[str, Any]:
    """An OpenAI-compatible provider at an address."""
    return {
        "provider_id": provider_id,
        "provider_type": "remote::openai",
        "config": {"base_url": url, "api_key": "sk-configured-secret", **config},
    }


def serving(run: RunConfig, state_dir: Path, **how: Any) -> AbstractAsyncContextManager[Served]:
    """As the one of `runtime.conformance.stacks`, by need: a stack costs half of what a whole one does."""
    return stacks.serving(run, state_dir, by_need=True, **how)


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


def table_of(stack: Stack, api: str = "inference") -> ResourceTable:
    """The table of the resources that an API's providers own."""
    return _kind_of(stack, api).table


def registry_of(stack: Stack, api: str = "inference") -> Any:
    return _kind_of(stack, api).registry


def _kind_of(stack: Stack, api: str) -> Kind:
    kind = stack._kinds.owned_by(api)
    assert kind is not None, f"the providers of {api} own no resources"
    return kind
