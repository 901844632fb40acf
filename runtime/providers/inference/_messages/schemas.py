"""JSON Schemas as Anthropic holds an answer to them: objects name all their properties, and limits of numbers, lengths
and counts are told to the model in words.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations (read November 2026)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.sse import Json, encode

_KEPT = frozenset({
    "type", "enum", "const", "anyOf", "allOf", "$ref", "$defs", "definitions", "properties", "required",
    "additionalProperties", "items", "format", "pattern", "minItems", "default", "title", "description",
})  # fmt: skip
_ONE, _SEVERAL, _NAMED = ("items",), ("anyOf", "allOf"), ("properties", "$defs", "definitions")
"""Members that are a schema, a list of schemas, and schemas by name."""
_FORMATS = frozenset({
    "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"
})  # fmt: skip
_MEANINGLESS = ("$schema", "$id", "$anchor", "$comment", "deprecated", "readOnly", "writeOnly")
"""What says nothing about a value."""
_SAY_WHAT = ("type", "enum", "const", "anyOf", "allOf", "$ref")


class Open(Exception):
    """An object may have other properties than those that are named, so it cannot be held to the schema."""


def held(schema: Mapping[str, Any]) -> tuple[Json, set[str]]:
    """The schema as Anthropic takes it, and what in it is only told to the model. Raises Open."""
    told: set[str] = set()
    return _held(schema, told), told


def _held(schema: Any, told: set[str]) -> Any:
    if not isinstance(schema, dict):
        raise Open  # `true`: any value
    made: Json = {name: value for name, value in schema.items() if name in _KEPT}
    words = {name: value for name, value in schema.items() if name not in (*_KEPT, *_MEANINGLESS)}
    if "oneOf" in words and "anyOf" not in made:
        made["anyOf"] = words.pop("oneOf")
    if made.get("minItems", 0) not in (0, 1):
        words["minItems"], made["minItems"] = made["minItems"], 1
    if "format" in made and made["format"] not in _FORMATS:
        words["format"] = made.pop("format")
    if _is_object(made):
        if made.setdefault("additionalProperties", not made.get("properties")) is not False:
            raise Open
        made.setdefault("type", "object")
    elif not any(name in made for name in _SAY_WHAT):
        raise Open
    for name in _ONE:
        if name in made:
            made[name] = _held(made[name], told)
    for name in _SEVERAL:
        if name in made:
            made[name] = [_held(one, told) for one in made[name]]
    for name in _NAMED:
        if name in made:
            made[name] = {key: _held(one, told) for key, one in made[name].items()}
    if words:
        told |= words.keys() - {"examples"}
        said = "{" + ", ".join(f"{name}: {encode(value).decode()}" for name, value in words.items()) + "}"
        made["description"] = f"{made['description']}\n\n{said}" if made.get("description") else said
    return made


def _is_object(schema: Json) -> bool:
    kind = schema.get("type")
    return "object" in (kind if isinstance(kind, list) else [kind]) or "properties" in schema
