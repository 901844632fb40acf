"""What Open Responses says of a response and of each event: which members there must be, and of which types.

https://www.openresponses.org/specification. Run `python -m tests.support.open_responses OPENAPI.json` to write
`open_responses.json` anew from its OpenAPI document.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

KEPT = Path(__file__).with_suffix(".json")
_RULES = {"type", "properties", "required", "items", "anyOf", "oneOf", "allOf", "enum", "$ref", "additionalProperties"}
_RENAMED = {"response.reasoning.delta": "response.reasoning_text.delta",
            "response.reasoning.done": "response.reasoning_text.done"}  # fmt: skip
"""Events that an older document calls otherwise than the specification and OpenAI do today."""


def check_response(response: Any) -> None:
    """Raises jsonschema's ValidationError."""
    _validator("ResponseResource").validate(response)


def check_event(event: Any) -> None:
    """Raises jsonschema's ValidationError; KeyError for an event that is not the specification's."""
    _validator(_by_type()[event["type"]]).validate(event)


def is_specified(event: Any) -> bool:
    return event["type"] in _by_type()


@cache
def _schemas() -> Any:
    return json.loads(KEPT.read_text(encoding="utf-8"))


@cache
def _by_type() -> dict[str, str]:
    events = {name: schema for name, schema in _schemas().items() if name.endswith("StreamingEvent")}
    return {schema["properties"]["type"]["enum"][0]: name for name, schema in events.items()}


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": _schemas()})


def _rules(schema: Any) -> Any:
    """The rules of a schema, without its words."""
    if isinstance(schema, list):
        return [_rules(one) for one in schema]
    if not isinstance(schema, dict):
        return _RENAMED.get(schema, schema.replace("#/components/schemas/", "#/$defs/")) if isinstance(
            schema, str) else schema  # fmt: skip
    found = {name: _rules(value) for name, value in schema.items() if name in _RULES}
    if "properties" in schema:
        found["properties"] = {name: _rules(value) for name, value in schema["properties"].items()}
    return found


def _needed(schemas: dict[str, Any], names: set[str]) -> set[str]:
    """These schemas and those that they refer to."""
    found: set[str] = set()
    while names:
        found |= names
        text = json.dumps([schemas[name] for name in names])
        names = {name for name in schemas if f'"#/$defs/{name}"' in text} - found
    return found


def main(document: Path) -> None:
    given = json.loads(document.read_text(encoding="utf-8"))["components"]["schemas"]
    schemas = {name: _rules(schema) for name, schema in given.items()}
    # The document allows only null, which no answer to a request with a schema could be.
    schemas["JsonSchemaResponseFormat"]["properties"]["schema"] = {"type": ["object", "null"]}
    kept = _needed(schemas, {"ResponseResource", *(name for name in schemas if name.endswith("StreamingEvent"))})
    lines = [f'"{name}": {json.dumps(schemas[name])}' for name in sorted(kept)]
    KEPT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
