"""Earlier parameters of tools as JSON Schemas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runtime.apis._earlier.tool_definitions import ParameterFacts
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


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of a tool, in whichever form. kind: its type; place: the field that says it."""

    name: str
    kind: str
    place: str
    facts: ParameterFacts


def schema_of(parameters: Iterable[Parameter]) -> Json:
    """The schema of all of them together, an object. Raises RequestError for a type that JSON does not have."""
    properties: Json = {}
    required = []
    for one in parameters:
        properties[one.name] = _property(one)
        if one.facts.required is not False:
            required.append(one.name)
    return {"type": "object", "properties": properties, "required": required}


def _property(parameter: Parameter) -> Json:
    kind, place = _TYPES.get(parameter.kind, parameter.kind), parameter.place
    if kind not in _KNOWN | _ANY:
        raise RequestError(
            f"`{place}`: `{kind}` is no type of JSON", hint=f"use one of {', '.join(sorted(_KNOWN))}", param=place
        )
    said: Json = {} if kind in _ANY else {"type": kind}
    for name in ("description", "items", "title", "default"):
        if (value := getattr(parameter.facts, name)) is not None:
            said[name] = value
    return said
