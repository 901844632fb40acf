"""Functions that a row lets a model call, as the tools of a chat. They are described as in the data of the Berkeley
Function-Calling Leaderboard: JSON schemas with types of Python and Java, names with dots.
https://github.com/ShishirPatil/gorilla/tree/main/berkeley-function-call-leaderboard
"""

from __future__ import annotations

import re
from typing import Any

from runtime.errors import RequestError
from runtime.providers._earlier.called import arguments_in
from runtime.sse import Json

FUNCTION = "function"
"""The column that has them."""
_NO_NAME = re.compile(r"[^a-zA-Z0-9_-]")
"""What names of tools do not have. https://platform.openai.com/docs/api-reference/chat/create"""
_JSON_TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
_TYPES = {
    **{name: name for name in _JSON_TYPES},
    **dict.fromkeys(("any", "char"), "string"),
    **dict.fromkeys(("byte", "short", "long", "bigint"), "integer"),
    **dict.fromkeys(("float", "double"), "number"),
    **dict.fromkeys(("tuple", "list", "arraylist", "queue", "stack"), "array"),
    **dict.fromkeys(("dict", "hashmap", "hashtable"), "object"),
    "bool": "boolean",
}
"""By the leaderboard's names in small letters; any other one is text there, as `any` is."""


def tools_of(given: Any) -> list[Json]:
    """given: the functions, or one. Raises RequestError for what is none of it."""
    try:
        return [_tool(one) for one in (given if isinstance(given, list) else [given])]
    except (TypeError, RecursionError):
        raise RequestError(
            f"The column `{FUNCTION}` of the row is of a wrong form: it needs functions, each with a `name` and"
            " `parameters`, or that as JSON",
            code="invalid_row",
        ) from None


def called(message: Json) -> list[Json]:
    """The calls of a message: of each its name, and its arguments; their text where that is no object."""
    return [
        {"name": call["function"]["name"], "arguments": arguments_in(call["function"]["arguments"])}
        for call in message.get("tool_calls") or ()
    ]


def _tool(described: Any) -> Json:
    """Raises TypeError for what is none."""
    if not isinstance(described, dict) or not isinstance(described.get("name"), str) or not described["name"]:
        raise TypeError("a function has a name")
    parameters = described.get("parameters")
    tool = {"name": _NO_NAME.sub("_", described["name"]), "parameters": {"type": "object", "properties": {}}}
    if parameters is not None:
        if not isinstance(parameters, dict):
            raise TypeError("parameters are a schema")
        tool["parameters"] = {**_schema(parameters), "type": "object"}
    if isinstance(described.get("description"), str):
        tool["description"] = described["description"]
    return {"type": "function", "function": tool}


def _schema(given: Any) -> Any:
    """A schema with the types of JSON, also within it."""
    if not isinstance(given, dict):
        return given
    found = dict(given)
    if isinstance(given.get("type"), str):
        found["type"] = _TYPES.get(given["type"].lower(), "string")
    if isinstance(given.get("properties"), dict):
        found["properties"] = {name: _schema(one) for name, one in given["properties"].items()}
    for within in ("items", "additionalProperties"):
        if within in given:
            found[within] = _schema(given[within])
    return found
