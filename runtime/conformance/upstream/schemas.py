"""A value that a JSON Schema accepts: what a model writes under `response_format` and as arguments of a tool."""

from __future__ import annotations

import random
from typing import Any

from jsonschema import Draft202012Validator, SchemaError

from runtime.conformance.upstream.wire import Refused
from runtime.conformance.upstream.words import some_words

_FORMATS = {
    "date": "2026-11-25",
    "date-time": "2026-11-25T12:00:00Z",
    "time": "12:00:00Z",
    "email": "ada@example.com",
    "uri": "https://app.example/",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
}
_DEEP = 4
"""From this depth on what may be left out is left out, so that a schema that holds itself comes to an end."""


def value_of(schema: Any, chosen: random.Random) -> Any:
    """A value. Fails the test for a schema of which this cannot make one, such as one with a `pattern`."""
    value = _value(schema, schema, chosen, 0)
    Draft202012Validator(schema).validate(value)
    return value


def check_schema(schema: Any, *, what: str, param: str, strict: bool) -> None:
    """Raises Refused for what is no JSON Schema, and in strict mode for an object that leaves its properties open.

    https://platform.openai.com/docs/guides/structured-outputs
    """
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise Refused(400, f"Invalid schema for {what}: {error.message}", param=param) from error
    if strict:
        _check_strict(schema, what, param, ())


def _value(schema: Any, root: Any, chosen: random.Random, depth: int) -> Any:
    if not isinstance(schema, dict):
        return "".join(some_words(chosen, 1)).strip()
    if "$ref" in schema:
        return _value(_target(root, schema["$ref"]), root, chosen, depth + 1)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return chosen.choice(schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            options = [option for option in schema[several] if depth < _DEEP or option.get("type") == "null"]
            return _value((options or schema[several])[0], root, chosen, depth + 1)
    if "allOf" in schema:
        parts = [_target(root, part["$ref"]) if "$ref" in part else part for part in schema["allOf"]]
        return _value({name: fact for part in [*parts, schema] for name, fact in part.items() if name != "allOf"}, root,
                      chosen, depth + 1)  # fmt: skip
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = "null" if depth >= _DEEP and "null" in kind else kind[0]
    return _of_type(kind, schema, root, chosen, depth)


def _of_type(kind: str, schema: dict[str, Any], root: Any, chosen: random.Random, depth: int) -> Any:
    if kind == "object":
        required = schema.get("required", ())
        fields = schema.get("properties", {}).items()
        return {name: _value(each, root, chosen, depth + 1) for name, each in fields
                if depth < _DEEP or name in required}  # fmt: skip
    if kind == "array":
        count = schema.get("minItems", 0 if depth >= _DEEP else min(1, schema.get("maxItems", 1)))
        return [_value(schema.get("items", True), root, chosen, depth + 1) for _ in range(count)]
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 101) - 1)
        return chosen.randint(int(low), max(int(low), int(high)))
    if kind == "boolean":
        return chosen.random() < 0.5
    if kind == "null":
        return None
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    text = "".join(some_words(chosen, 1)).strip().ljust(schema.get("minLength", 0), "x")
    return text[: schema.get("maxLength", len(text))]


def _target(root: Any, reference: str) -> Any:
    """Where a reference in the schema leads, such as `#/$defs/Person`. Raises Refused for one that leads nowhere."""
    found = root
    for name in reference.removeprefix("#").split("/")[1:]:
        if not isinstance(found, dict) or name not in found:
            raise Refused(400, f"Invalid schema: reference '{reference}' can not be resolved.")
        found = found[name]
    return found


def _check_strict(schema: Any, what: str, param: str, path: tuple[str, ...]) -> None:
    if isinstance(schema, list):
        for each in schema:
            _check_strict(each, what, param, path)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            reason = "'additionalProperties' is required to be supplied and to be false."
            raise Refused(400, f"Invalid schema for {what}: In context={path}, {reason}", param=param)
        missing = schema.get("properties", {}).keys() - set(schema.get("required", ()))
        if missing:
            reason = f"'required' must include every key in properties. Missing '{min(missing)}'."
            raise Refused(400, f"Invalid schema for {what}: In context={path}, {reason}", param=param)
    for name, each in schema.items():
        if name in ("properties", "$defs", "definitions"):
            for key, value in each.items():
                _check_strict(value, what, param, (*path, name, key))
        elif name in ("items", "anyOf", "allOf", "oneOf"):
            _check_strict(each, what, param, (*path, name))
