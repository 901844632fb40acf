"""A provider's client and a vendor at wire level."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from runtime.http.auth import NoAuth
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts


@pytest_asyncio.fixture
async def client() -> AsyncIterator[HttpClient]:
    opened = HttpClient("acme").with_auth(NoAuth(), timeouts=Timeouts(connect_s=2, read_s=5))
    yield opened
    await opened.close()
