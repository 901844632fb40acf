"""One stack at a vendor for a module's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from runtime.conformance.upstream import Upstream, upstream_server
from tests.conformance.batches.asking import Asking, asking_at
from tests.conformance.batches.held import Held


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vendor() -> AsyncIterator[Upstream]:
    async with upstream_server() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(vendor: Upstream, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asking]:
    async with asking_at(vendor, tmp_path_factory.mktemp("state"), config={"max_concurrent_batches": 4}) as asking:
        yield asking


@pytest.fixture
def asking(stack: Asking) -> Iterator[Asking]:
    """The vendor answers as `conformance/upstream` says until a test says otherwise."""
    yield stack
    if isinstance(held := stack.vendor.misbehaves, Held):
        held.let()  # a test that has failed leaves them to the next one otherwise
    stack.vendor.misbehaves = None
    stack.vendor.seen.clear()
