"""Earlier parameters of tools as JSON Schemas."""

from __future__ import annotations

from typing import Any

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


def property_of(kind: str, place: str, **facts: Any) -> Json:
    """The schema of one parameter. kind: its type; place: the field that says it. facts: what else the schema says; a
    None is left out. Raises RequestError for a type that JSON does not have.
    """
    known = _TYPES.get(kind, kind)
    if known not in _KNOWN | _ANY:
        raise RequestError(
            f"`{place}`: `{known}` is no type of JSON", hint=f"use one of {', '.join(sorted(_KNOWN))}", param=place
        )
    said: Json = {} if known in _ANY else {"type": known}
    return said | {name: value for name, value in facts.items() if value is not None}


def object_of(properties: Json, required: list[str]) -> Json:
    """The schema of all parameters together."""
    return {"type": "object", "properties": properties, "required": required}
