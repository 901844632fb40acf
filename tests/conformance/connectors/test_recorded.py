"""What MCP servers answered is answered again without them, however they are spoken to."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.apis.connectors.protocol import McpServer
from runtime.conformance.stacks import Served, run_config, serving
from runtime.errors import StackError, UpstreamError
from runtime.providers.connectors.builtin import adapter
from runtime.recording.library import stored
from runtime.recording.session import Mode, RecordingChoice, Session
from runtime.stack.interposed import Interposed
from tests.support.mcp_server import mcp_server

SECRET = "xyzzy-very-secret"
CONFIG = {"allow_private_addresses": True, "connect_timeout_s": 5.0}
BUILTIN = {"provider_id": "builtin", "provider_type": "inline::builtin", "config": CONFIG}
MCP = {"provider_id": "mcp", "provider_type": "remote::model-context-protocol"}
PROGRAM = """
from mcp.server import MCPServer

made = MCPServer("program", log_level="CRITICAL")

@made.tool()
async def add(a: int, b: int) -> int:
    return a + b

made.run("stdio")
"""


@asynccontextmanager
async def stack(
    mode: Mode, folder: Path, connectors: Sequence[dict[str, Any]] = ()
) -> AsyncIterator[tuple[Served, Session]]:
    session = Session(RecordingChoice(mode=mode, folder=folder / "recordings"))
    run = run_config(providers={"connectors": [BUILTIN], "tool_runtime": [MCP]}, connectors=[*connectors])
    async with serving(run, folder / f"state of {mode}", interposed=Interposed(session)) as served:
        yield served, session


async def asked(served: Served, **group: Any) -> list[Any]:
    """What is answered when somebody asks for the tools of a server, and calls one, as a tool group."""
    body = {"toolgroup_id": "mcp::sums", "provider_id": "mcp", **group}
    made = await served.client.post("/v1/toolgroups", body)
    assert made.status == 200, made.body
    calls = [{"toolgroup_id": "mcp::sums", "tool_name": "add", "kwargs": {"a": a, "b": 2}} for a in (1, 5)]
    answers = [await served.client.post("/v1/tool-runtime/invoke", call) for call in calls]
    return [[answer.json()["content"][0]["text"] for answer in answers], await listed(served)]


async def listed(served: Served) -> list[str]:
    tools = await served.client.get("/v1/tools?toolgroup_id=mcp::sums")
    return [one["name"] for one in tools.json()["data"]]


@pytest.mark.parametrize("sse", [False, True])
async def test_one_at_an_address_is_not_needed(sse: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with mcp_server(sse=sse) as server, stack("record", tmp_path) as (served, _):
        told = await asked(served, mcp_endpoint={"uri": f"{server.url}?key={SECRET}"})
    assert told[0] == ["3", "7"] and "add" in told[1]
    monkeypatch.delattr(adapter, "BuiltinConnectors")  # nothing of it is imported
    path = "sse" if sse else "mcp"
    async with stack("replay", tmp_path) as (served, session):
        again = await asked(served, mcp_endpoint={"uri": f"http://127.0.0.1:9/{path}?key=another"})
    assert again == told and not session.misses
    kept = list(stored(tmp_path / "recordings"))
    assert {one.operation for one in kept} == {"check_server", "list_server_tools", "call_server_tool"}
    assert SECRET not in "".join(path.read_text() for path in (tmp_path / "recordings").rglob("*.json"))


async def test_a_program_is_not_started(tmp_path: Path) -> None:
    file = tmp_path / "server.py"
    file.write_text(PROGRAM)
    connector = {"connector_id": "sums", "command": [sys.executable, str(file)]}
    async with stack("record", tmp_path, [connector]) as (served, _):
        told = await asked(served, args={"connector_id": "sums"})
    assert told[0] == ["3", "7"]
    async with stack("replay", tmp_path, [connector | {"command": ["/nowhere/server"]}]) as (served, session):
        again = await asked(served, args={"connector_id": "sums"})
        other = {"toolgroup_id": "mcp::sums", "tool_name": "add", "kwargs": {"a": 9, "b": 2}}
        missed = await served.client.post("/v1/tool-runtime/invoke", other)
    assert again == told
    assert "json.arguments.a: recorded 1, asked 9" in missed.error["message"] and len(session.misses) == 1


async def test_a_refusal_is_the_same_and_credentials_are_kept_nowhere(tmp_path: Path) -> None:
    told: list[StackError] = []
    async with mcp_server() as server:
        server.wants = "Bearer another"
        for mode, sent in (("record", {"headers": {"X-Key": SECRET}, "authorization": SECRET}), ("replay", {})):
            async with stack(mode, tmp_path) as (served, session):  # type: ignore[arg-type]  # one of its words
                with pytest.raises(UpstreamError) as caught:
                    connectors = served.stack.api("connectors")
                    await connectors.list_server_tools(McpServer(url=server.url, is_configured=True, **sent))
                told.append(caught.value)
        assert server.asked[0].headers["x-key"] == SECRET
    assert type(told[0]) is type(told[1]) and told[0].words == told[1].words and not session.misses
    assert SECRET not in "".join(path.read_text() for path in (tmp_path / "recordings").rglob("*.json"))
