"""A stack at a vendor that says what a test has written down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import Upstream
from tests.support.stacks import openai_at


@pytest_asyncio.fixture
async def client(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Client]:
    """At the door of a stack whose only models are the vendor's."""
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        yield served.client
