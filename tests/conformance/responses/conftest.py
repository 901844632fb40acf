"""One stack at a vendor for a module's tests, which each write down what the vendor says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from runtime.conformance.stacks import Served, adapter_of, run_config, serving
from runtime.conformance.upstream import Upstream, upstream_server
from runtime.server.app import make_app
from tests.conformance.responses.asking import Asking
from tests.support.examples import servers as examples
from tests.support.examples.servers import Servers
from tests.support.mounting import mount
from tests.support.raw_http import Listening, listening
from tests.support.stacks import openai_at


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vendor() -> AsyncIterator[Upstream]:
    async with upstream_server() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(vendor: Upstream, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """The stack, which can read files too, and knows MCP servers that are written down."""
    files = [{"provider_id": "localfs", "provider_type": "inline::localfs"}]
    processors = [{"provider_id": "auto", "provider_type": "inline::auto"}]
    connectors = [{"provider_id": "servers", "provider_type": "inline::written-down"}]
    providers = {
        "inference": [openai_at(vendor.url)],
        "files": files,
        "file_processors": processors,
        "connectors": connectors,
    }
    with pytest.MonkeyPatch.context() as patch:
        mount(patch, examples)
        async with serving(run_config(providers=providers), tmp_path_factory.mktemp("state")) as running:
            yield running


@pytest.fixture
def servers(served: Served) -> Iterator[Servers]:
    """The MCP servers."""
    found: Servers = adapter_of(served.stack, "connectors")
    found.reset()
    yield found
    found.reset()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(served: Served) -> AsyncIterator[Listening]:
    """The same stack on a socket."""
    async with listening(make_app(served.stack, hosts=[], starts_stack=False)) as running:
        yield running


@pytest.fixture
def asking(served: Served, vendor: Upstream) -> Iterator[Asking]:
    """Who asks for responses. The vendor answers as `conformance/upstream` says until it is told what to say."""
    yield Asking(served.client, vendor)
    vendor.misbehaves = None
    vendor.gate.set()
    vendor.waiting_at_gate.clear()
    vendor.ended_early.clear()


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A vendor for one test, which makes a stack of its own."""
    async with upstream_server() as vendor:
        yield vendor
