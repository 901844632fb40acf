"""Tools of an implementation of llama-stack's interface: `list_runtime_tools` and `invoke_tool`."""

from __future__ import annotations

from typing import Any

from runtime.apis.tool_runtime.protocol import (
    InvokeToolRequest,
    ListToolsRequest,
    ToolDef,
    ToolInvocationResult,
    ToolList,
)
from runtime.providers._vendors.llama_stack.calling import as_json
from runtime.providers._vendors.llama_stack.implementation import LlamaStackProvider


class LlamaStackTools(LlamaStackProvider):
    """Lists tools and calls them."""

    async def list_tools(self, request: ListToolsRequest) -> ToolList:
        endpoint = request.mcp_endpoint.model_dump(mode="json") if request.mcp_endpoint else None
        given = {"tool_group_id": request.toolgroup_id, "mcp_endpoint": endpoint}
        listed = as_json(await self.ask("list_runtime_tools", {k: v for k, v in given.items() if v is not None}))
        return ToolList(data=[_tool(one) for one in listed["data"]])

    async def invoke_tool(self, request: InvokeToolRequest) -> ToolInvocationResult:
        result = as_json(await self.ask("invoke_tool", {"tool_name": request.tool_name, "kwargs": request.kwargs}))
        known = {name: result[name] for name in ToolInvocationResult.model_fields if result.get(name) is not None}
        return ToolInvocationResult.model_validate(known)


def _tool(stated: dict[str, Any]) -> ToolDef:
    """Until 0.3 a tool has a list of parameters in the place of a schema."""
    schema = stated.get("input_schema")
    if schema is None:
        parameters = stated.get("parameters") or []
        schema = {
            "type": "object",
            "properties": {
                one["name"]: {"type": one.get("parameter_type", "string"), "description": one.get("description", "")}
                for one in parameters
            },
            "required": [one["name"] for one in parameters if one.get("required", True)],
        }
    known = {name: stated[name] for name in ("name", "description", "metadata", "output_schema") if stated.get(name)}
    return ToolDef.model_validate({**known, "input_schema": schema})
