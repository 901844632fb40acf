"""Fixtures of files whose tests ask one stack at one vendor. A file takes them by name, as in
`upstream, client = at_vendor.upstream, at_vendor.client`, and has the mark `asyncio(loop_scope="module")`.

For tests that leave nothing in a stack that the others would see: making and closing one takes 30 ms of CPU, ten times
what such a test asks of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import Served, run_config
from runtime.conformance.upstream import Upstream, upstream_server
from tests.support.stacks import openai_at, serving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vendor_of_file() -> AsyncIterator[Upstream]:
    async with upstream_server() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served_of_file(vendor_of_file: Upstream, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    run = run_config(openai_at(vendor_of_file.url))
    async with serving(run, tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
def upstream(vendor_of_file: Upstream) -> Upstream:
    """The vendor, to which nobody has done anything yet."""
    vendor_of_file.begin_anew()
    return vendor_of_file


@pytest.fixture
def client(upstream: Upstream, served_of_file: Served) -> Client:
    """At the door of the stack whose only models are the vendor's."""
    return served_of_file.client


@pytest_asyncio.fixture(loop_scope="module")
async def new_stack(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Served]:
    """One of the test's own, for a test that counts everything there is."""
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as running:
        yield running


@pytest.fixture
def new_client(new_stack: Served) -> Client:
    return new_stack.client
