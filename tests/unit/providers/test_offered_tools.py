"""The names that MCP clients call tools by: one for each, whatever their groups call them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from runtime.apis.tool_runtime.protocol import ListToolsRequest, ToolDef, ToolList
from runtime.providers.mcp.builtin.offered_tools import OfferedTools
from runtime.providers.mcp.builtin.searching import LIST_STORES, SEARCH_STORE


class _Tools:
    def __init__(self, *tools: tuple[str, str]) -> None:
        self._tools = [ToolDef(name=name, toolgroup_id=group) for group, name in tools]

    async def list_tools(self, request: ListToolsRequest) -> ToolList:
        return ToolList(data=self._tools)


@pytest.mark.parametrize(
    "tools",
    [
        [("one", "get data"), ("one", "get/data")],
        [("a:b", "who"), ("a_b", "who")],
        [("one", "x" * 200 + "1"), ("one", "x" * 200 + "2")],
        [("g" * 200, "who"), ("g" * 200 + "2", "who")],
        [("one", "list vector stores"), ("two", LIST_STORES), ("three", "other")],
        [("one", "two__who"), ("two", "who"), ("three", "who")],
    ],
)
async def test_no_tool_takes_the_name_of_another(tools: list[tuple[str, str]]) -> None:
    stores: Any = object()
    runtime: Any = _Tools(*tools)
    named = await OfferedTools(runtime, stores)._named()
    assert sorted((tool.toolgroup_id or "", tool.name) for tool in named.values()) == sorted(tools)
    assert not {LIST_STORES, SEARCH_STORE} & set(named)
    assert all(re.fullmatch(r"[a-zA-Z0-9_.-]{1,128}", name) for name in named)
    runtime._tools.reverse()
    again = await OfferedTools(runtime, stores)._named()
    assert {name: tool.name for name, tool in again.items()} == {name: tool.name for name, tool in named.items()}
