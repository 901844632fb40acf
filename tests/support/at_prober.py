"""As `at_vendor`: fixtures of files whose tests ask one stack, whose one provider does what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import Served, adapter_of, run_config, serving
from tests.support.house import Prober, furnish, probe_spec

PROVIDERS = {"probe": [{"provider_id": "p", "provider_type": "inline::prober"}], "inference": []}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def probed_of_file(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    with pytest.MonkeyPatch.context() as patched:
        furnish(patched, [probe_spec()])
        async with serving(run_config(providers=PROVIDERS), tmp_path_factory.mktemp("state")) as running:
            yield running


@pytest.fixture
def prober(probed_of_file: Served) -> Prober:
    """The provider, of which nobody has wanted anything yet."""
    found: Prober = adapter_of(probed_of_file.stack, "probe")
    found.begin_anew()
    return found


@pytest.fixture
def client(prober: Prober, probed_of_file: Served) -> Client:
    return probed_of_file.client
