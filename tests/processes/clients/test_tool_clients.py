"""Groups of tools, tools, and calls of them, as llama-stack's own clients ask for them while they could."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from tests.conformance.tool_runtime.servers import PAGES, ToolServer, tool_server
from tests.support.official_clients import OfficialClient, Running, official_clients, running
from tests.support.server_process import ServerProcess, running_server
from tests.support.shared import Shared

pytestmark = [pytest.mark.e2e, pytest.mark.network_registry, pytest.mark.asyncio(loop_scope="module")]

CLIENTS = [client for client in official_clients() if client.id in ("llama-stack-client-0.2", "llama-stack-client-0.3")]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=CLIENTS, ids=lambda client: client.id)
async def client(request: pytest.FixtureRequest, shared: Shared, note: Callable[[str], None]) -> AsyncIterator[Running]:
    wanted: OfficialClient = request.param
    async with running(wanted, shared) as ready:
        note(ready.who)
        yield ready


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def web() -> AsyncIterator[ToolServer]:
    async with tool_server("tavily-search") as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(web: ToolServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """Without a key: callers bring theirs."""
    search = {"provider_id": "search", "provider_type": "remote::tavily-search", "config": {"base_url": web.url}}
    config = {
        "version": 2,
        "distro_name": "tools",
        "providers": {"tool_runtime": [search]},
        "storage": {"backends": {"kv_default": {"type": "kv_memory"}}},
        "registered_resources": {"tool_groups": [{"toolgroup_id": "builtin::websearch", "provider_id": "search"}]},
    }
    async with running_server(config, tmp_path_factory.mktemp("tools"), said="serving") as found:
        yield found


async def test_tools_are_listed_and_called(client: Running, server: ServerProcess, web: ToolServer) -> None:
    told = await client("tool_groups", url=server.url, query="How fast?")
    assert told["groups"] == ["builtin::websearch", "mine::search"]
    group = told["group"]
    assert (group["provider_id"], group["provider_resource_id"], group["args"]) == (
        "search",
        "mine::search",
        {"note": "x"},
    )
    name, parameters = told["tool"]
    assert told["tools"] == told["listed"] == [[name, parameters]]
    assert name == "web_search" and parameters[0] == "query"
    assert told["of_server"]["status"] == 501
    assert told["ambiguous"]["status"] == 400 and "`mine::search/web_search`" in told["ambiguous"]["said"]
    assert told["called"]["metadata"]["sources"][0]["url"] == PAGES[0][0]
    assert web.keys[-1] == "of-the-caller" and web.asked[-1]["query"] == "How fast?"
    assert told["unknown"]["type"] == told["not_found"]["type"] == "NotFoundError"
    assert "did you mean `web_search`" in told["unknown"]["said"]
