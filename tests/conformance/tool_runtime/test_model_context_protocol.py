"""Tool groups whose tools an MCP server has."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Answered
from runtime.conformance.stacks import Served, run_config, serving
from tests.support.mcp_server import RunningMcp, mcp_server


@asynccontextmanager
async def grouped(folder: Path, *servers: RunningMcp, **config: Any) -> AsyncIterator[Served]:
    """A stack with a group for each server: the first by its address, others by a connector."""
    connectors = [{"connector_id": f"c{place}", "url": server.url} for place, server in enumerate(servers)]
    groups = [
        {"toolgroup_id": f"mcp::{place}", "provider_id": "mcp"}
        | ({"args": {"connector_id": f"c{place}"}} if place else {"mcp_endpoint": {"uri": server.url}})
        for place, server in enumerate(servers)
    ]
    run = run_config(
        providers={
            "tool_runtime": [{"provider_id": "mcp", "provider_type": "remote::model-context-protocol"}],
            "connectors": [{"provider_id": "builtin", "provider_type": "inline::builtin", "config": config}],
        },
        connectors=connectors,
        registered_resources={"tool_groups": groups},
    )
    async with serving(run, folder) as served:
        yield served


async def invoke(served: Served, tool: str, **kwargs: Any) -> Answered:
    return await served.client.post("/v1/tool-runtime/invoke", {"tool_name": tool, "kwargs": kwargs})


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RunningMcp]:
    async with mcp_server() as running:
        yield running


async def test_the_tools_of_a_group_are_its_servers(server: RunningMcp, tmp_path: Path) -> None:
    async with grouped(tmp_path, server) as served:
        listed = (await served.client.get("/v1/tool-runtime/list-tools?tool_group_id=mcp::0")).json()["data"]
        [add] = [tool for tool in listed if tool["name"] == "add"]
        assert (add["toolgroup_id"], add["provider_id"], add["identifier"]) == ("mcp::0", "mcp", "add")
        assert add["input_schema"]["required"] == ["a", "b"]
        assert [(one["name"], one["parameter_type"]) for one in add["parameters"]] == [
            ("a", "integer"),
            ("b", "integer"),
        ]
        assert (await served.client.get("/v1/tools/add")).json()["description"] == "Adds two numbers."


async def test_results_are_texts_and_pictures_and_failures(server: RunningMcp, tmp_path: Path) -> None:
    async with grouped(tmp_path, server) as served:
        added = (await invoke(served, "add", a=1, b=2)).json()
        assert added["content"] == [{"type": "text", "text": "3", "image": None}] and added["error_message"] is None
        assert added["metadata"] == {"structured_content": {"result": 3}}
        words, picture = (await invoke(served, "picture")).json()["content"]
        assert (
            words["text"] == "a llama" and picture["type"] == "image" and picture["image"]["data"].startswith("iVBOR")
        )
        failed = await invoke(served, "fails")
        assert failed.status == 200 and failed.json()["error_code"] == 1
        assert "the llama is asleep" in failed.json()["error_message"]


async def test_a_tool_that_two_servers_have_is_never_silently_the_first(server: RunningMcp, tmp_path: Path) -> None:
    async with mcp_server() as other, grouped(tmp_path, server, other) as served:
        refused = await invoke(served, "add", a=1, b=1)
        assert refused.status == 400 and "`mcp::0/add`" in refused.json()["error"]["message"]
        assert (await invoke(served, "mcp::1/add", a=1, b=1)).status == 200
        assert (server.ran, other.ran) == ([], ["add"])


async def test_a_server_that_is_down_is_an_error_and_never_an_empty_list(tmp_path: Path) -> None:
    gone = RunningMcp(url="http://127.0.0.1:1/mcp", port=1)
    async with grouped(tmp_path, gone) as served:
        answer = await served.client.get("/v1/tool-runtime/list-tools?tool_group_id=mcp::0")
        assert answer.status == 503 and "cannot be reached" in answer.json()["error"]["message"]


async def test_a_server_in_a_request_is_asked_if_it_is_public(server: RunningMcp, tmp_path: Path) -> None:
    endpoint = quote(json.dumps({"uri": server.url}))
    async with grouped(tmp_path, server) as served:
        refused = await served.client.get(f"/v1/tool-runtime/list-tools?mcp_endpoint={endpoint}")
        assert refused.status == 400 and refused.json()["error"]["code"] == "address_not_allowed"
    async with grouped(tmp_path, server, allow_private_addresses=True) as served:
        listed = await served.client.get(f"/v1/tool-runtime/list-tools?mcp_endpoint={endpoint}")
        assert "add" in [tool["name"] for tool in listed.json()["data"]]


async def test_headers_for_a_server_come_with_the_request(server: RunningMcp, tmp_path: Path) -> None:
    server.wants = "Bearer of-the-caller"
    data = json.dumps({"mcp_headers": {server.url: {"Authorization": "Bearer of-the-caller"}}})
    async with grouped(tmp_path, server) as served:
        path = "/v1/tool-runtime/list-tools?tool_group_id=mcp::0"
        assert (await served.client.get(path)).status == 401
        assert (await served.client.get(path, headers={"x-llamastack-provider-data": data})).status == 200


@pytest.mark.parametrize("args", [None, {"other": "x"}])
async def test_a_group_without_a_server_is_said(server: RunningMcp, tmp_path: Path, args: Any) -> None:
    async with grouped(tmp_path, server) as served:
        await served.client.post("/v1/toolgroups", {"toolgroup_id": "none", "provider_id": "mcp", "args": args})
        answer = await served.client.get("/v1/tool-runtime/list-tools?tool_group_id=none")
        assert answer.status == 400 and "`mcp_endpoint`" in answer.json()["error"]["message"]


@pytest.mark.parametrize("named", ["", "x" * 600, ["c0"], {"a": 1}, 5])
async def test_a_group_whose_connector_is_no_name_spoils_no_other(
    server: RunningMcp, tmp_path: Path, named: Any
) -> None:
    async with grouped(tmp_path, server) as served:
        group = {"toolgroup_id": "odd", "provider_id": "mcp", "args": {"connector_id": named}}
        await served.client.post("/v1/toolgroups", group)
        answer = await served.client.get("/v1/tools?toolgroup_id=odd")
        assert answer.status == 400 and "`args.connector_id`" in answer.json()["error"]["message"]
        listed = await served.client.get("/v1/tools")
        assert "add" in [tool["name"] for tool in listed.json()["data"]]
        assert (await invoke(served, "add", a=1, b=2)).status == 200


@pytest.mark.parametrize("given", ["[" * 60_000, '{"uri": ' + "[" * 3000, "no json"])
async def test_an_endpoint_that_is_no_json_is_said(server: RunningMcp, tmp_path: Path, given: str) -> None:
    async with grouped(tmp_path, server) as served:
        answer = await served.client.get(f"/v1/tools?mcp_endpoint={quote(given)}")
        assert answer.status == 400 and answer.json()["error"]["param"] == "mcp_endpoint"
