"""Calls of MCP servers: which one by its name here, and which tool. No address, which may hold a key: the attempts
below say where a server is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.telemetry import conventions as names
from runtime.telemetry.described.tool_runtime import ToolCall
from runtime.telemetry.operation import Described, Fields, bounded
from runtime.telemetry.spans import Attribute

_OF_CONNECTOR = {"connector_id": names.CONNECTOR_ID}


class ServerToolCall(ToolCall):
    """A call of a server's tool."""

    def facts(self, provider_type: str) -> dict[str, Attribute]:
        return {names.MCP_METHOD: "tools/call"}

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        name, attributes = super().request(request)
        if request.connector_id is not None:
            attributes[names.CONNECTOR_ID] = bounded(request.connector_id)
        return name, attributes

    def has_failed(self, answer: Any) -> bool:
        return bool(answer.is_error)


class _Listing(Fields):
    def facts(self, provider_type: str) -> dict[str, Attribute]:
        return {names.MCP_METHOD: "tools/list"}


_TOOLS = _Listing(asked=_OF_CONNECTOR, found={"data": names.TOOLS})
_CONNECTOR = Fields(asked=_OF_CONNECTOR)

DESCRIBED: Mapping[str, Described] = {
    "call_server_tool": ServerToolCall(),
    "list_server_tools": _TOOLS,
    "list_connector_tools": _TOOLS,
    "get_connector": _CONNECTOR,
    "get_connector_tool": Fields(asked={**_OF_CONNECTOR, "tool_name": names.TOOL_NAME}),
    "check_server": _CONNECTOR,
}
