"""Scoring functions as llama-stack's own client asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.processes.clients.gateway import each_of
from tests.support.official_clients import Running, official_clients
from tests.support.server_process import ServerProcess, running_server

pytestmark = [pytest.mark.e2e, pytest.mark.network_registry, pytest.mark.asyncio(loop_scope="module")]

RUN = {
    "version": 2,
    "distro_name": "scoring",
    "providers": {
        "scoring": [{"provider_id": "basic", "provider_type": "inline::basic"}],
        "datasetio": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
    },
}
ROWS = [
    {"generated_answer": "Paris", "expected_answer": "Paris"},
    {"generated_answer": "paris", "expected_answer": "Paris"},
    {"generated_answer": "Rome", "expected_answer": "Paris"},
]


@pytest_asyncio.fixture(loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    async with running_server(RUN, tmp_path_factory.mktemp("scoring"), said="serving") as found:
        yield found


@each_of(client for client in official_clients() if client.id in ("llama-stack-client-0.2", "llama-stack-client-0.3"))
async def test_rows_and_datasets_are_scored(client: Running, server: ServerProcess) -> None:
    told = await client("scoring", url=server.url, rows=ROWS)
    assert {"mine", "basic::equality", "basic::ifeval"} <= {*told["listed"]}
    assert told["read"]["provider_resource_id"] == "equality" and told["read"]["description"] == "In any case"
    assert told["scores"] == told["batch"] == {"mine": [1.0, 1.0, 0.0], "basic::equality": [1.0, 0.0, 0.0]}
    assert told["accuracy"] == pytest.approx(2 / 3)
    for error in (told["unknown"], told["not_found"]):
        assert (error["type"], error["status"]) == (client.facts.not_found, 404)
    assert "`basic::equality`" in told["unknown"]["said"]
    assert told["column"]["status"] == 400 and "it has `answer`" in told["column"]["said"]
