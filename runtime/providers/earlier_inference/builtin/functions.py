"""The earlier definitions of tools as functions of a chat completion."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.apis._earlier.tool_definitions import ToolDefinition, ToolParam
from runtime.errors import RequestError
from runtime.sse import Json

_TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "List": "array",
    "tuple": "array",
    "dict": "object",
    "Dict": "object",
}
"""Names that Python has for JSON's types, which those versions took too: their client says what a function's type hints
are called.
"""
_ANY = {"Any", "Optional", "Union"}
"""Type hints whose name says nothing of the type."""
_KNOWN = {"string", "integer", "number", "boolean", "array", "object", "null"}
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
    return {
        "type": "object",
        "properties": {name: _property(one, f"{place}.{name}") for name, one in parameters.items()},
        "required": [name for name, one in parameters.items() if one.required is not False],
    }


def _property(parameter: ToolParam, place: str) -> Json:
    kind = _TYPES.get(parameter.param_type, parameter.param_type)
    if kind not in _KNOWN | _ANY:
        field = f"{place}.param_type"
        raise RequestError(
            f"`{field}`: `{kind}` is no type of JSON", hint=f"use one of {', '.join(sorted(_KNOWN))}", param=field
        )
    said: Json = {} if kind in _ANY else {"type": kind}
    for name in ("description", "items", "title", "default"):
        if (value := getattr(parameter, name)) is not None:
            said[name] = value
    return said
