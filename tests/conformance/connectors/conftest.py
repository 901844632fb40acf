"""A server of each kind, and connectors that ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.conformance.connectors.asking import Asking, asking
from tests.support.mcp_server import RunningMcp, mcp_server

KINDS: dict[str, dict[str, Any]] = {"2026-07-28": {}, "2025-11-25": {"newest": False}, "sse": {"sse": True}}


@pytest_asyncio.fixture(params=KINDS)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[RunningMcp]:
    """A server of each generation over streamable HTTP, and one over SSE."""
    async with mcp_server(**KINDS[request.param]) as running:
        yield running


@pytest_asyncio.fixture
async def newest() -> AsyncIterator[RunningMcp]:
    """A server of the newest generation."""
    async with mcp_server() as running:
        yield running


@pytest_asyncio.fixture
async def connectors() -> AsyncIterator[Asking]:
    async with asking() as made:
        yield made
