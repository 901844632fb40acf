"""The earlier definitions of tools as functions of a chat completion."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.apis._earlier.tool_definitions import ToolDefinition, ToolParam
from runtime.providers._earlier.schemas import Parameter, schema_of
from runtime.sse import Json

_QUERY = {"query": ToolParam(param_type="string", description="What to ask.")}
_BUILTIN = {
    "brave_search": ("Search the web.", _QUERY),
    "wolfram_alpha": ("Ask Wolfram Alpha, which computes and knows facts.", _QUERY),
    "photogen": ("Draw a picture.", {"query": ToolParam(param_type="string", description="What to draw.")}),
    "code_interpreter": (
        "Run Python code.",
        {"code": ToolParam(param_type="string", description="The code.")},
    ),
}
"""Tools that Llama models were trained with, which need no definition."""


def functions_of(tools: Sequence[ToolDefinition]) -> list[Json]:
    """Raises RequestError for a parameter of no type that JSON has."""
    return [_function(tool, f"tools[{place}]") for place, tool in enumerate(tools)]


def _function(tool: ToolDefinition, place: str) -> Json:
    description, parameters = tool.description, tool.parameters
    if parameters is None and tool.tool_name in _BUILTIN:
        known, parameters = _BUILTIN[tool.tool_name]
        description = description or known
    schema = tool.input_schema or schema_of(
        Parameter(name=name, kind=one.param_type, place=f"{place}.parameters.{name}.param_type", facts=one)
        for name, one in (parameters or {}).items()
    )
    said: Json = {"name": tool.tool_name, "parameters": schema}
    if description:
        said["description"] = description
    return {"type": "function", "function": said}
