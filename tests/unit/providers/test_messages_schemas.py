"""JSON Schemas as Anthropic holds answers to them.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

from __future__ import annotations

from typing import Any

import pytest

from runtime.providers.inference._messages.schemas import Open, held

CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "sent", "told"),
    [
        (CLOSED, CLOSED, []),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, CLOSED, []),
        ({"properties": {"a": {"type": "string"}}, "$schema": "x", "$id": "y"}, CLOSED, []),
        (
            {"type": "object", "properties": {}, "additionalProperties": False},
            {"type": "object", "properties": {}, "additionalProperties": False},
            [],
        ),
        (
            {"type": "integer", "minimum": 1, "maximum": 3, "description": "How many."},
            {"type": "integer", "description": "How many.\n\n{minimum: 1, maximum: 3}"},
            ["maximum", "minimum"],
        ),
        (
            {"type": "array", "items": {"type": "string", "maxLength": 3}, "minItems": 2},
            {
                "type": "array", "items": {"type": "string", "description": "{maxLength: 3}"}, "minItems": 1,
                "description": "{minItems: 2}",
            },
            ["maxLength", "minItems"],
        ),
        ({"type": "array", "items": CLOSED, "minItems": 1}, {"type": "array", "items": CLOSED, "minItems": 1}, []),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}, []),
        ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^a"}, []),
        ({"type": "string", "format": "color"}, {"type": "string", "description": '{format: "color"}'}, ["format"]),
        ({"oneOf": [CLOSED, {"type": "null"}]}, {"anyOf": [CLOSED, {"type": "null"}]}, []),
        (
            {"$ref": "#/$defs/x", "$defs": {"x": {"allOf": [{"enum": [1, None], "examples": [1]}]}}},
            {"$ref": "#/$defs/x", "$defs": {"x": {"allOf": [{"enum": [1, None], "description": "{examples: [1]}"}]}}},
            [],
        ),
    ],
)  # fmt: skip
def test_what_is_not_held_is_told(schema: Any, sent: Any, told: list[str]) -> None:
    found, names = held(schema)
    assert found == sent and sorted(names) == told


@pytest.mark.parametrize(
    "schema",
    [
        {}, {"type": "object"}, {"type": "object", "properties": {}}, {"description": "anything"},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {**CLOSED, "additionalProperties": True},
        {"type": ["object", "null"]},
        {"type": "array", "items": True},
        {"type": "object", "properties": {"a": True}},
        {"type": "object", "properties": {"a": {"type": "object"}}},
        {"anyOf": [{"type": "string"}, {}]},
    ],
)  # fmt: skip
def test_an_object_with_properties_of_any_name_is_not_held(schema: Any) -> None:
    with pytest.raises(Open):
        held(schema)
