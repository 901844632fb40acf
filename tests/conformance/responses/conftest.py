"""One stack at a vendor for a module's tests, which each write down what the vendor says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.conformance.responses.asking import Asking
from tests.support.stacks import openai_at, run_config, serving
from tests.support.upstream import Upstream, upstream_server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole_module(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Asking, Upstream]]:
    async with (
        upstream_server() as vendor,
        serving(run_config(openai_at(vendor.url)), tmp_path_factory.mktemp("state")) as served,
    ):
        yield Asking(served.client, vendor), vendor


@pytest.fixture
def asking(whole_module: tuple[Asking, Upstream]) -> Iterator[Asking]:
    """Who asks for responses. The vendor answers as `tests/support/upstream` says until it is told what to say."""
    found, vendor = whole_module
    yield found
    vendor.misbehaves = None
    vendor.gate.set()
    vendor.waiting_at_gate.clear()
    vendor.ended_early.clear()


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A vendor for one test, which makes a stack of its own."""
    async with upstream_server() as vendor:
        yield vendor
