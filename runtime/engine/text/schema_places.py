"""The schemas inside a JSON Schema (https://json-schema.org/draft/2020-12), and the ways to them. Knows no requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

Keys = tuple[str, ...]
"""The steps from one schema to one inside it; places of lists as numbers."""

_ONE, _MANY, _NAMED = (
    ("items", "additionalProperties", "additionalItems", "not", "if", "then", "else", "contains", "propertyNames"),
    ("anyOf", "oneOf", "allOf", "prefixItems", "items"),
    ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"),
)


def children(node: dict[str, Any]) -> Iterator[tuple[Keys, str, Any]]:
    """What stands directly in `node` where a schema does: the steps to it, as they are and in the way of `param`."""
    for key, inner in node.items():
        if key in _NAMED and isinstance(inner, dict):
            for name, one in inner.items():
                yield (key, name), f".{key}.{name}", one
        elif key in _MANY and isinstance(inner, list):
            for at, one in enumerate(inner):
                yield (key, str(at)), f".{key}[{at}]", one
        elif key in _ONE:
            yield (key,), f".{key}", inner


def places(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside `node`, itself first, with its path in the way of `param`."""
    if not isinstance(node, dict):
        return
    yield path, node
    for _, step, inner in children(node):
        yield from places(inner, path + step)


def with_inner(node: dict[str, Any], change: Callable[[Keys, Any], Any]) -> dict[str, Any]:
    """`node` with every schema directly inside it changed. change: gets the steps to it, and the schema."""
    result = dict(node)
    for key, inner in node.items():
        if key in _NAMED and isinstance(inner, dict):
            result[key] = {name: change((key, name), one) for name, one in inner.items()}
        elif key in _MANY and isinstance(inner, list):
            result[key] = [change((key, str(at)), one) for at, one in enumerate(inner)]
        elif key in _ONE:
            result[key] = change((key,), inner)
    return result


def pointed(fragment: str) -> Keys:
    """The steps of a JSON pointer in a URI. https://www.rfc-editor.org/rfc/rfc6901"""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in unquote(fragment).split("/")[1:])


def at(schema: dict[str, Any], keys: Keys) -> Any:
    """What is there; None for nothing."""
    found: Any = schema
    for name in keys:
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal() and len(name) < 8 and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found
