"""One stack at a vendor for a module's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from runtime.conformance.upstream import Upstream, upstream_server
from tests.conformance.eval.asking import Asking, Repeating, asking_at


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vendor() -> AsyncIterator[Upstream]:
    async with upstream_server() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(vendor: Upstream, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asking]:
    with pytest.MonkeyPatch.context() as patches:
        async with asking_at(vendor, tmp_path_factory.mktemp("state"), patches) as asking:
            yield asking


@pytest.fixture
def asking(stack: Asking) -> Iterator[Asking]:
    """The vendor answers as `conformance/upstream` says until a test says otherwise."""
    yield stack
    stack.vendor.misbehaves = None
    stack.vendor.seen.clear()


@pytest.fixture
def repeating(asking: Asking) -> Repeating:
    """The vendor that says the last word of each question."""
    asking.vendor.misbehaves = found = Repeating()
    return found
