"""A stack whose one provider does what a test tells it to, behind our server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import Served, adapter_of, run_config, serving
from tests.support.at_prober import PROVIDERS, probed_of_file
from tests.support.house import Prober, furnish, probe_spec

__all__ = ["probed_of_file"]


@pytest_asyncio.fixture
async def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Served]:
    furnish(monkeypatch, [probe_spec()])
    async with serving(run_config(providers=PROVIDERS), tmp_path) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Client:
    return served.client


@pytest.fixture
def prober(served: Served) -> Prober:
    found: Prober = adapter_of(served.stack, "probe")
    return found
