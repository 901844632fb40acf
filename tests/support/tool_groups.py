"""A provider of `tool_runtime` for tests: its tools are what the config says, by the provider's name of their group."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from runtime.apis.tool_runtime.protocol import (
    InvokeToolRequest,
    ListToolsRequest,
    ToolDef,
    ToolInvocationResult,
    ToolList,
)
from runtime.errors import Unavailable
from runtime.provider import ProviderContext
from runtime.spec import inline
from tests.support.mounting import add

SPEC = inline(
    "toolbox",
    summary="Tools for tests",
    adapter=f"{__name__}:Tools",
    config=f"{__name__}:ToolsConfig",
).found_in("tool_runtime", __name__)
SERVERS = inline(
    "servers", summary="Tools of servers", adapter=f"{__name__}:ServerTools", config=f"{__name__}:ToolsConfig"
).found_in("tool_runtime", __name__)


class ToolsConfig(BaseModel):
    """tools: by the provider's own name of their group; none for a group that cannot be listed."""

    tools: dict[str, list[str] | None] = Field(default_factory=dict)


class Tools:
    """Says what it was asked. listings: how many times, by group."""

    def __init__(self, config: ToolsConfig, context: ProviderContext) -> None:
        self._config = config
        self.listings: dict[str, int] = {}

    async def list_tools(self, request: ListToolsRequest) -> ToolList:
        assert request.resource is not None and request.toolgroup_id == request.resource.provider_resource_id
        group = request.resource.provider_resource_id
        self.listings[group] = self.listings.get(group, 0) + 1
        tools = self._config.tools.get(group)
        if tools is None:
            raise Unavailable(f"the server of {group} sleeps")
        schema = {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "What for."},
                "limit": {"anyOf": [{"type": "null"}, {"type": "integer"}], "default": 3},
            },
            "required": ["query"],
        }
        return ToolList(data=[ToolDef(name=name, description=f"Does {name}.", input_schema=schema) for name in tools])

    async def invoke_tool(self, request: InvokeToolRequest) -> ToolInvocationResult:
        assert request.resource is not None
        told: dict[str, Any] = {"tool": request.tool_name, "group": request.resource.id, "kwargs": request.kwargs}
        return ToolInvocationResult(content="done", metadata=told | {"own": request.toolgroup_id})


class ServerTools(Tools):
    """Speaks to servers that are in no group, too."""

    async def list_server_tools(self, request: ListToolsRequest) -> ToolList:
        assert request.mcp_endpoint is not None
        return ToolList(data=[ToolDef(name="remote", description=request.mcp_endpoint.uri)])


def furnish_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let discovery find `inline::toolbox` and `inline::servers`."""
    add(monkeypatch, [], [SPEC, SERVERS])


def toolbox(provider_id: str = "toolbox", kind: str = "toolbox", **tools: list[str] | None) -> dict[str, Any]:
    return {"provider_id": provider_id, "provider_type": f"inline::{kind}", "config": {"tools": tools}}


def group(name: str, provider_id: str = "toolbox", own: str | None = None) -> dict[str, Any]:
    entry = {"toolgroup_id": name, "provider_id": provider_id}
    return entry if own is None else entry | {"provider_toolgroup_id": own}
