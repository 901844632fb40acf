"""The operations of the API `tool_groups`, and what they take and return."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from runtime.apis._api import route
from runtime.apis._metadata import ResourceMetadata
from runtime.apis._names import AskedAddress, ResourceId
from runtime.apis._request import Empty, Registered, Request, Response, example


class McpEndpoint(BaseModel):
    """Where an MCP server is."""

    model_config = ConfigDict(extra="forbid")

    uri: AskedAddress = Field(description="Its address, `https://` or `http://`.")


class ToolGroup(Response):
    """A group of tools, all of one provider."""

    identifier: str = Field(description="Its id.")
    provider_id: str = Field(description="The provider of `tool_runtime` that runs its tools.")
    provider_resource_id: str = Field(description="The provider's own name for it.")
    type: Literal["tool_group"] = "tool_group"
    mcp_endpoint: McpEndpoint | None = Field(
        None,
        description="The MCP server whose tools these are, if one has them. Who has not registered it sees the host"
        " alone: what follows may be a key.",
    )
    args: dict[str, Any] | None = Field(None, description="What its provider was told beyond that.")


class ToolGroupList(Response):
    """The groups of tools that the caller may see."""

    data: list[ToolGroup] = Field(description="Every group.")


class ToolGroupRequest(Request):
    """Which group of tools."""

    toolgroup_id: ResourceId = Field(min_length=1, description="Its id.")


class RegisterToolGroupRequest(Request):
    """A group of tools to have."""

    model_config = example(
        toolgroup_id="mcp::weather",
        provider_id="model-context-protocol",
        mcp_endpoint={"uri": "https://weather.example/mcp"},
    )

    toolgroup_id: ResourceId = Field(min_length=1, description="The name to ask for.")
    provider_id: ResourceId | None = Field(
        None, description="The provider that runs its tools. Default: the only one that can."
    )
    provider_toolgroup_id: ResourceId | None = Field(
        None, description="The provider's own name. Default: the same as `toolgroup_id`."
    )
    mcp_endpoint: McpEndpoint | None = Field(
        None, description="The MCP server whose tools these are. Default: the provider has tools of its own."
    )
    args: ResourceMetadata | None = Field(
        None, description="What the provider is told beyond that, such as `connector_id`. Default: nothing."
    )


class ToolGroups(Protocol):
    @route("GET", "/v1/toolgroups", registry="list", returns=ToolGroupList)
    async def list_tool_groups(self, request: Empty) -> ToolGroupList:
        """Every group of tools."""
        ...

    @route("GET", "/v1/toolgroups/{toolgroup_id:path}", registry="get")
    async def get_tool_group(self, request: ToolGroupRequest) -> ToolGroup:
        """One group of tools by its id. 404 with close matches for an unknown one."""
        ...

    @route("POST", "/v1/toolgroups", registry="register")
    async def register_tool_group(self, request: RegisterToolGroupRequest) -> ToolGroup:
        """Register a group of tools; it is still there after a restart. 409 when the name is another group's."""
        ...

    @route("DELETE", "/v1/toolgroups/{toolgroup_id:path}", registry="remove", status=204)
    async def unregister_tool_group(self, request: ToolGroupRequest) -> None:
        """Forget a registered group of tools. 409 for one of the run config."""
        ...


def answer(group: Registered) -> ToolGroup:
    return ToolGroup(
        identifier=group.id,
        provider_id=group.provider_id,
        provider_resource_id=group.provider_resource_id,
        mcp_endpoint=group.facts.get("mcp_endpoint"),
        args=group.facts.get("args"),
    )
