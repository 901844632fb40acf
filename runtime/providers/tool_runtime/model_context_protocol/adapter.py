"""The tools of MCP servers as those of tool groups. The `connectors` API speaks to the servers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from runtime.apis._request import Registered
from runtime.apis.connectors.protocol import CallServerToolRequest, Connectors, ConnectorTool, McpServer, ToolOutcome
from runtime.apis.tool_runtime.protocol import (
    ContentPart,
    InvokeToolRequest,
    ListToolsRequest,
    ToolDef,
    ToolInvocationResult,
    ToolList,
)
from runtime.errors import NotSupported, RequestError, Unavailable
from runtime.provider import ProviderContext
from runtime.similar import LONGEST_NAME
from runtime.sse import Json


class McpTools:
    """A group has an `mcp_endpoint`, or a connector in its `args.connector_id`."""

    def __init__(self, config: None, context: ProviderContext) -> None:
        self._provider_id = context.provider_id
        self._connectors = context.api(Connectors)  # type: ignore[type-abstract]

    async def check_registration(self, resource: Registered) -> None:
        """Raises RequestError for a group whose server users may not name. What cannot be said now is said at use."""
        if (endpoint := resource.facts.get("mcp_endpoint")) is None:
            return
        with suppress(NotSupported, Unavailable):
            try:
                await self._connectors.check_server(McpServer(url=endpoint["uri"]))
            except RequestError as error:
                raise error.saying(error.message, param="mcp_endpoint.uri") from None

    async def list_tools(self, request: ListToolsRequest) -> ToolList:
        """The tools of a group. Raises what its server is the reason for."""
        group = request.resource
        assert group is not None, "it is routed by its group"
        found = await self._connectors.list_server_tools(McpServer(**_server_of(group)))
        return ToolList(data=[_described(tool, group.id, self._provider_id) for tool in found.data])

    async def list_server_tools(self, request: ListToolsRequest) -> ToolList:
        """The tools of a server that is in no group. Raises RequestError where none is named."""
        if request.mcp_endpoint is None:
            raise RequestError("`mcp_endpoint` says whose tools are meant", param="mcp_endpoint")
        found = await self._connectors.list_server_tools(McpServer(url=request.mcp_endpoint.uri))
        return ToolList(data=[_described(tool, "", self._provider_id) for tool in found.data])

    async def invoke_tool(self, request: InvokeToolRequest) -> ToolInvocationResult:
        """Call a tool of a group's server. Raises what its server is the reason for."""
        group = request.resource
        assert group is not None, "it is routed by its group"
        call = CallServerToolRequest(**_server_of(group), tool_name=request.tool_name, arguments=request.kwargs)
        return _result(await self._connectors.call_server_tool(call))


def _server_of(group: Registered) -> dict[str, Any]:
    """The server of a group, as fields of `McpServer`. Raises RequestError for a group without one, and for one whose
    connector cannot be a name.
    """
    connector_id = (group.facts.get("args") or {}).get("connector_id")
    if connector_id is not None:
        if not isinstance(connector_id, str) or not 1 <= len(connector_id) <= LONGEST_NAME:
            raise RequestError(
                f"`args.connector_id` of the tool group `{group.id}` is no connector's name",
                hint="unregister it, and register it with one of GET /v1/connectors",
            )
        return {"connector_id": connector_id}
    endpoint = group.facts.get("mcp_endpoint")
    if endpoint is None:
        raise RequestError(
            f"The tool group `{group.id}` names no MCP server",
            hint="register it with an `mcp_endpoint`, or with `connector_id` in its `args`",
        )
    return {"url": endpoint["uri"], "is_configured": group.source == "config"}


def _described(tool: ConnectorTool, group: str, provider_id: str) -> ToolDef:
    metadata = {"title": tool.title, "annotations": tool.annotations}
    return ToolDef(
        name=tool.name,
        toolgroup_id=group,
        description=tool.description,
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        metadata={name: value for name, value in metadata.items() if value is not None} or None,
        identifier=tool.name,
        provider_id=provider_id,
    )


def _result(outcome: ToolOutcome) -> ToolInvocationResult:
    parts = [_part(part) for part in outcome.content]
    structured = outcome.structured_content
    failure = " ".join(part.text for part in parts if part.text) or "the tool failed without a word"
    return ToolInvocationResult(
        content=parts,
        error_message=failure if outcome.is_error else None,
        error_code=1 if outcome.is_error else None,
        metadata=None if structured is None else {"structured_content": structured},
    )


def _part(part: Json) -> ContentPart:
    """A part as tool results have them. What is neither text nor an image is told in words."""
    kind = part.get("type")
    if kind == "text":
        return ContentPart(type="text", text=part.get("text") or "")
    if kind == "image":
        return ContentPart(type="image", image={"data": part.get("data") or ""})
    resource = part.get("resource")
    if kind == "resource" and isinstance(resource, dict) and isinstance(resource.get("text"), str):
        return ContentPart(type="text", text=resource["text"])
    named = resource if isinstance(resource, dict) else part
    what = " ".join(str(named[name]) for name in ("uri", "mimeType") if named.get(name))
    return ContentPart(type="text", text=f"[{kind}{f': {what}' if what else ''}]")
