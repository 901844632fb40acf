"""Datasets as llama-stack's own client asks for them."""

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
    "distro_name": "datasets",
    "providers": {"datasetio": [{"provider_id": "localfs", "provider_type": "inline::localfs"}]},
}
ROWS = [{"question": f"Question {number}?", "answer": f"Answer {number}"} for number in range(4)]


@pytest_asyncio.fixture(loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    async with running_server(RUN, tmp_path_factory.mktemp("datasets"), said="serving") as found:
        yield found


@each_of(client for client in official_clients() if client.id in ("llama-stack-client-0.2", "llama-stack-client-0.3"))
async def test_a_dataset_is_registered_read_and_appended_to(client: Running, server: ServerProcess) -> None:
    told = await client("datasets", url=server.url, rows=ROWS)
    assert told["listed"] == ["capitals"]
    assert told["read"]["purpose"] == "eval/question-answer" and told["read"]["provider_id"] == "localfs"
    assert (told["before"]["data"], told["before"]["has_more"]) == (ROWS[:3], False)
    assert (told["page"]["data"], told["page"]["has_more"]) == (ROWS[1:2], True)
    assert told["all"]["data"] == ROWS and told["all"]["version"] != told["before"]["version"]
    assert told["again"] == told["before"]
    assert (told["not_found"]["type"], told["not_found"]["status"]) == (client.facts.not_found, 404)
