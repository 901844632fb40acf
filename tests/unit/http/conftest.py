"""A provider's client and a vendor at wire level."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from runtime.http.client import HttpClient
from runtime.http.network import Network, TimeoutSettings


@pytest_asyncio.fixture
async def client() -> AsyncIterator[HttpClient]:
    opened = HttpClient("acme", network=Network(timeout=TimeoutSettings(connect=2, read=5)))
    yield opened
    await opened.close()
