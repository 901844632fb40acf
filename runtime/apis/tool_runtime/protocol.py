"""The operations of the API `tool_runtime`."""

from __future__ import annotations

import json
from typing import Any, Literal, Protocol

from pydantic import AliasChoices, Field, field_validator
from pydantic_core import PydanticCustomError

from runtime.apis._api import inner, route
from runtime.apis._names import ResourceId
from runtime.apis._request import Request, Response, example
from runtime.apis.tool_groups.protocol import McpEndpoint
from runtime.errors import NotSupported, Unavailable


class ToolParameter(Response):
    """A parameter of a tool, as llama-stack before 0.4 has it."""

    name: str = Field(description="Its name.")
    parameter_type: str = Field(description="Its JSON type, such as `string`.")
    description: str = Field("", description="What it is for.")
    required: bool = Field(True, description="Whether it must be given.")
    default: Any = Field(None, description="What it is when it is not given.")


class ToolDef(Response):
    """A tool that can be called. `parameters`, `identifier`, `provider_id` and `type` are for older clients."""

    name: str = Field(description="Its name in its group.")
    toolgroup_id: str | None = Field(None, description="Its group; null for a tool of a server that is in none.")
    description: str | None = Field(None, description="What it does and when to call it, for a model.")
    input_schema: dict[str, Any] | None = Field(None, description="Its arguments, as the JSON Schema of an object.")
    output_schema: dict[str, Any] | None = Field(None, description="What it gives back, as a JSON Schema.")
    metadata: dict[str, Any] | None = Field(None, description="What else its provider says of it.")
    parameters: list[ToolParameter] = Field(default_factory=list, description="The same as `input_schema`, as a list.")
    identifier: str = Field("", description="The same as `name`.")
    provider_id: str = Field("", description="The provider of its group.")
    type: Literal["tool"] = "tool"


class ToolList(Response):
    """Tools."""

    data: list[ToolDef] = Field(description="Every tool of the group, or of all groups.")


class ListToolsRequest(Request):
    """Of which group."""

    toolgroup_id: ResourceId | None = Field(
        None,
        validation_alias=AliasChoices("toolgroup_id", "tool_group_id"),
        description="The group; `tool_group_id` is another name of this field. Default: all groups.",
    )
    mcp_endpoint: McpEndpoint | None = Field(
        None,
        description='An MCP server in the place of a group, as JSON: `{"uri": "https://..."}`. Default: none.',
    )

    @field_validator("mcp_endpoint", mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        """In a query it is JSON, as text."""
        if not isinstance(given, str):
            return given
        try:
            return json.loads(given)
        except (ValueError, RecursionError):
            raise PydanticCustomError("mcp_endpoint", 'must be JSON such as {"uri": "https://..."}') from None


class ToolRequest(Request):
    """Which tool."""

    tool_name: ResourceId = Field(
        min_length=1, description="Its name, or `toolgroup_id/name` where several groups have it."
    )


class InvokeToolRequest(ToolRequest):
    """A call of a tool."""

    model_config = example(tool_name="web_search", kwargs={"query": "How fast does a llama run?"})

    kwargs: dict[str, Any] = Field(default_factory=dict, description="Its arguments by name. Default: none.")
    toolgroup_id: ResourceId | None = Field(
        None, description="Its group. Default: the only one that has a tool of this name."
    )


class ContentPart(Response):
    """A part of what a tool gives back."""

    type: Literal["text", "image"] = Field(description="`text` or `image`.")
    text: str | None = Field(None, description="The text, of a text.")
    image: dict[str, Any] | None = Field(
        None, description='The image, of an image: `{"data": base64}` or `{"url": {"uri": ...}}`.'
    )


class ToolInvocationResult(Response):
    """What a tool gave back."""

    content: str | list[ContentPart] | None = Field(None, description="A text, or texts and images.")
    error_message: str | None = Field(None, description="Why the tool failed, if it did.")
    error_code: int | None = Field(None, description="A number for that, if it has one.")
    metadata: dict[str, Any] | None = Field(
        None, description="What it says beside its content, such as the `sources` of a search."
    )


class ToolRuntime(Protocol):
    """A tool that fails says so in its result; an error is the answer where it could not be called."""

    @route(
        "GET",
        "/v1/tools",
        aliases=("/v1/admin/tools", "/v1/tool-runtime/list-tools"),
        raises=(NotSupported, Unavailable),
    )
    async def list_tools(self, request: ListToolsRequest) -> ToolList:
        """What tools there are. Where the tools of the named group cannot be listed, that is an error."""
        ...

    @route("GET", "/v1/tools/{tool_name:path}", raises=(NotSupported, Unavailable))
    async def get_tool(self, request: ToolRequest) -> ToolDef:
        """One tool by its name. 404 with close matches for an unknown one, 400 where several groups have it."""
        ...

    @route("POST", "/v1/tool-runtime/invoke", raises=(NotSupported, Unavailable))
    async def invoke_tool(self, request: InvokeToolRequest) -> ToolInvocationResult:
        """Call a tool. 404 with close matches for an unknown one, 400 where several groups have it."""
        ...

    @inner()
    async def list_server_tools(self, request: ListToolsRequest) -> ToolList:
        """What tools the MCP server of a request has, which is in no group."""
        ...
