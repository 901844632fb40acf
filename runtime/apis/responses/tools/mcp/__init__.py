"""MCP servers in a response: the tool, the choice of it, the items of its calls, and their events.

https://platform.openai.com/docs/guides/tools-connectors-mcp

    mcp_list_tools.in_progress, .completed
    mcp_call.in_progress, mcp_call_arguments.delta, .done, mcp_call.completed or .failed
"""

from __future__ import annotations

from runtime.apis.responses.tool_kind import ItemKind, ToolKind
from runtime.apis.responses.tools.mcp.events import (
    McpCallArgumentsDelta,
    McpCallArgumentsDone,
    McpCallCompleted,
    McpCallFailed,
    McpCallInProgress,
    McpListToolsCompleted,
    McpListToolsInProgress,
)
from runtime.apis.responses.tools.mcp.items import McpApprovalRequest, McpApprovalResponse, McpCall, McpListTools
from runtime.apis.responses.tools.mcp.tool import McpChoice, McpTool

KIND = ToolKind(
    tool=McpTool,
    choice=McpChoice,
    labelled_by="server_label",
    items=(
        ItemKind(shape=McpListTools, prefix="mcpl_"),
        ItemKind(shape=McpCall, prefix="mcp_"),
        ItemKind(shape=McpApprovalRequest, prefix="mcpr_"),
        ItemKind(shape=McpApprovalResponse, prefix="mcpa_"),
    ),
    events=(
        McpListToolsInProgress,
        McpListToolsCompleted,
        McpCallInProgress,
        McpCallArgumentsDelta,
        McpCallArgumentsDone,
        McpCallCompleted,
        McpCallFailed,
    ),
)
