"""A stack whose one provider does what a test tells it to, behind our server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import Served, adapter_of, run_config, serving
from tests.support.house import Prober, furnish, probe_spec


@pytest_asyncio.fixture
async def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Served]:
    furnish(monkeypatch, [probe_spec()])
    run = run_config(providers={"probe": [{"provider_id": "p", "provider_type": "inline::prober"}], "inference": []})
    async with serving(run, tmp_path) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Client:
    return served.client


@pytest.fixture
def prober(served: Served) -> Prober:
    found: Prober = adapter_of(served.stack, "probe")
    return found
