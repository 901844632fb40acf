"""A vendor for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from runtime.conformance.upstream import Upstream, upstream_server


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with upstream_server() as server:
        yield server
