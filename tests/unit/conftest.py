"""Unit tests start no process, call no other machine and load no model code; what several of their folders use."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from runtime.conformance.upstream import Upstream, upstream_server
from tests.support.at_vendor import new_stack, served_of_file, vendor_of_file
from tests.support.listing import Listing, furnish_listing
from tests.support.process_free import (
    pytest_make_collect_report,
    pytest_runtest_call,
    pytest_runtest_setup,
    pytest_runtest_teardown,
)

__all__ = [
    "pytest_make_collect_report", "pytest_runtest_call", "pytest_runtest_setup", "pytest_runtest_teardown",
    "new_stack", "served_of_file", "vendor_of_file",
]  # fmt: skip


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A vendor at wire level."""
    async with upstream_server() as running:
        yield running


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> type[Listing]:
    """A provider type whose models a test sets."""
    return furnish_listing(monkeypatch)
