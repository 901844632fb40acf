"""MCP servers that a test writes down: what they have, what they say to a call, and what they were asked with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from runtime.apis.connectors.protocol import (
    CallServerToolRequest,
    ConnectorTool,
    ConnectorTools,
    McpServer,
    ToolOutcome,
)
from runtime.errors import NotFound, StackError
from runtime.provider import ProviderContext
from runtime.spec import inline

_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
READ_ONLY = {"readOnlyHint": True}


def tool(name: str, *, annotations: Mapping[str, Any] | None = None) -> ConnectorTool:
    return ConnectorTool(
        name=name, description=f"Does {name}.", input_schema=_SCHEMA, annotations=annotations and {**annotations}
    )


def text(said: str, *, is_error: bool = False) -> ToolOutcome:
    return ToolOutcome(content=[{"type": "text", "text": said}], is_error=is_error)


class Servers:
    """tools: by address. says: what a tool says, or an error that is raised; by default its name and arguments.
    down: an error for whoever lists. listed, called: what was asked. may_answer: what each call waits for; left: how
    many callers did not wait for it.
    """

    def __init__(self, config: object, context: ProviderContext) -> None:
        self.reset()

    def reset(self) -> None:
        self.tools: dict[str, list[ConnectorTool]] = {
            "http://weather": [tool("forecast", annotations=READ_ONLY), tool("book")],
            "http://other": [tool("forecast"), tool("sell")],
        }
        self.says: dict[str, ToolOutcome | StackError] = {}
        self.down: StackError | None = None
        self.listed: list[McpServer] = []
        self.called: list[CallServerToolRequest] = []
        self.left = 0
        self.may_answer, self.is_asked = asyncio.Event(), asyncio.Event()
        self.may_answer.set()

    async def list_server_tools(self, request: McpServer) -> ConnectorTools:
        self.listed.append(request)
        if self.down is not None:
            raise self.down
        return ConnectorTools(data=self.tools[request.url or "http://weather"])

    async def call_server_tool(self, request: CallServerToolRequest) -> ToolOutcome:
        self.called.append(request)
        self.is_asked.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.left += 1
            raise
        if request.tool_name not in [one.name for one in self.tools[request.url or "http://weather"]]:
            raise NotFound(f"There is no tool `{request.tool_name}`")
        said = self.says.get(request.tool_name, text(f"{request.tool_name} {request.arguments}"))
        if isinstance(said, StackError):
            raise said
        return said


APIS = ()
SPECS = (("connectors", inline("written-down", summary="Written down", adapter=f"{__name__}:Servers")),)
