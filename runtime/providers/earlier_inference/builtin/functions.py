"""The earlier definitions of tools as functions of a chat completion."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.apis._earlier.tool_definitions import ToolDefinition, ToolParam
from runtime.providers._earlier.schemas import object_of, property_of
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
    schema = tool.input_schema or _schema(parameters or {}, f"{place}.parameters")
    said: Json = {"name": tool.tool_name, "parameters": schema}
    if description:
        said["description"] = description
    return {"type": "function", "function": said}


def _schema(parameters: dict[str, ToolParam], place: str) -> Json:
    properties = {
        name: property_of(
            one.param_type,
            f"{place}.{name}.param_type",
            description=one.description,
            items=one.items,
            title=one.title,
            default=one.default,
        )
        for name, one in parameters.items()
    }
    return object_of(properties, [name for name, one in parameters.items() if one.required is not False])
