"""The tools that MCP clients are offered: those of the stack's tool groups, and the search of its vector stores.

A tool has its own name where only one group has it, else its group's before it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runtime.apis.tool_runtime.protocol import (
    InvokeToolRequest,
    ListToolsRequest,
    ToolDef,
    ToolInvocationResult,
    ToolRuntime,
)
from runtime.apis.vector_stores.protocol import VectorStores
from runtime.errors import NotFound, StackError
from runtime.providers.mcp.builtin.refusals import refused
from runtime.providers.mcp.builtin.searching import LIST_STORES, SEARCH_STORE, Searching
from runtime.similar import did_you_mean

if TYPE_CHECKING:
    import mcp_types as types

_UNFIT = re.compile(r"[^a-zA-Z0-9_.-]")
_LONGEST = 128
_ANYTHING: Mapping[str, Any] = {"type": "object"}


class OfferedTools:
    """tool_runtime, stores: None where they are not here."""

    def __init__(self, tool_runtime: ToolRuntime | None, stores: VectorStores | None) -> None:
        self._tool_runtime = tool_runtime
        self._searching = Searching(stores) if stores is not None else None

    def handlers(self) -> dict[str, Any]:
        """What the SDK's server is made with."""
        return {"on_list_tools": self._list, "on_call_tool": self._call}

    def instructions(self) -> str:
        """What a client tells its model of this server."""
        if self._searching is None:
            return "Tools of a Llama Stack."
        found = f"`{LIST_STORES}` says which stores of documents there are, `{SEARCH_STORE}` searches one."
        return f"Tools of a Llama Stack. {found}"

    async def _list(self, context: Any, asked: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        import mcp_types as types

        with refused():
            named = await self._named()
        listed = [
            types.Tool(
                name=name,
                description=tool.description,
                input_schema={**_ANYTHING, **(tool.input_schema or {})},
                output_schema=None,
            )
            for name, tool in named.items()
        ]
        own = self._searching.listed() if self._searching else []
        return types.ListToolsResult(tools=[*own, *listed])

    async def _call(self, context: Any, asked: types.CallToolRequestParams) -> types.CallToolResult:
        arguments = asked.arguments or {}
        if self._searching is not None and asked.name in (LIST_STORES, SEARCH_STORE):
            return await self._searching.call(asked.name, arguments)
        with refused():
            named = await self._named()
            if (tool := named.get(asked.name)) is None:
                own = (LIST_STORES, SEARCH_STORE) if self._searching else ()
                raise NotFound(f"There is no tool `{asked.name[:100]}`", hint=did_you_mean(asked.name, [*named, *own]))
        assert self._tool_runtime is not None, "a tool that is named was listed by it"
        request = InvokeToolRequest(tool_name=tool.name, toolgroup_id=tool.toolgroup_id, kwargs=arguments)
        try:
            result = await self._tool_runtime.invoke_tool(request)
        except StackError as error:
            result = ToolInvocationResult(error_message=error.message)
        return _answered(result)

    async def _named(self) -> dict[str, ToolDef]:
        """The tools of all groups, by the names that clients call them."""
        if self._tool_runtime is None:
            return {}
        tools = (await self._tool_runtime.list_tools(ListToolsRequest())).data
        own = (LIST_STORES, SEARCH_STORE) if self._searching else ()
        times = Counter((*own, *(_fit(tool.name) for tool in tools)))
        names = [
            name if times[name := _fit(tool.name)] == 1 else _fit(f"{tool.toolgroup_id}__{tool.name}") for tool in tools
        ]
        times = Counter((*own, *names))
        return {
            name if times[name] == 1 else _told_apart(name, tool): tool for name, tool in zip(names, tools, strict=True)
        }


def _fit(name: str) -> str:
    return _UNFIT.sub("_", name)[:_LONGEST]


def _told_apart(name: str, tool: ToolDef) -> str:
    """Of tools whose names differ only in what fits in none, or beyond its length."""
    mark = hashlib.sha256(f"{tool.toolgroup_id}/{tool.name}".encode()).hexdigest()[:8]
    return f"{name[: _LONGEST - len(mark) - 1]}_{mark}"


def _answered(result: ToolInvocationResult) -> types.CallToolResult:
    import mcp_types as types

    content: list[Any] = []
    if isinstance(result.content, str):
        content.append(types.TextContent(text=result.content))
    for part in result.content if isinstance(result.content, list) else ():
        if part.type == "text":
            content.append(types.TextContent(text=part.text or ""))
        elif data := (part.image or {}).get("data"):
            content.append(types.ImageContent(data=data, mime_type=(part.image or {}).get("mime_type", "image/png")))
        else:
            content.append(types.TextContent(text=str(((part.image or {}).get("url") or {}).get("uri", ""))))
    if result.error_message is not None:
        content.append(types.TextContent(text=result.error_message))
    return types.CallToolResult(content=content, is_error=result.error_message is not None)
