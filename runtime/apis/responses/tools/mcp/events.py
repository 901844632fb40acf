"""The events of MCP servers' items. https://platform.openai.com/docs/api-reference/responses-streaming"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis.responses.event_fields import OfItem


class McpListToolsInProgress(OfItem):
    """The tools of an MCP server are being told of."""

    type: Literal["response.mcp_list_tools.in_progress"] = "response.mcp_list_tools.in_progress"


class McpListToolsCompleted(OfItem):
    """The tools of an MCP server are known. (Where they cannot be listed, the request is refused.)"""

    type: Literal["response.mcp_list_tools.completed"] = "response.mcp_list_tools.completed"


class McpCallInProgress(OfItem):
    """A tool of an MCP server is being called."""

    type: Literal["response.mcp_call.in_progress"] = "response.mcp_call.in_progress"


class McpCallArgumentsDelta(OfItem):
    """A piece of the arguments of a call."""

    type: Literal["response.mcp_call_arguments.delta"] = "response.mcp_call_arguments.delta"
    delta: str = Field(description="The next piece.")


class McpCallArgumentsDone(OfItem):
    """The arguments of a call are complete."""

    type: Literal["response.mcp_call_arguments.done"] = "response.mcp_call_arguments.done"
    arguments: str = Field(description="All of them, a JSON object as text.")


class McpCallCompleted(OfItem):
    """A tool of an MCP server has given something back."""

    type: Literal["response.mcp_call.completed"] = "response.mcp_call.completed"


class McpCallFailed(OfItem):
    """A call of a tool of an MCP server has failed."""

    type: Literal["response.mcp_call.failed"] = "response.mcp_call.failed"
