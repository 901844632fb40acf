"""Schemas that public reports say broke others' structured output. Which report each is from: `tests/reports.md`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runtime.engine.text.json_schema import SchemaInvalid, enforceable
from runtime.engine.text.loading import load_tokenizer
from tests.support.draws import Draws
from tests.support.tiny_model import write_tiny_chat_model

LEAST = -(2**63)
DEADLY: list[dict[str, Any]] = [
    {"type": "integer", "minimum": LEAST, "maximum": -1},
    {"type": "integer", "minimum": LEAST, "maximum": LEAST + 1},
    {"type": "integer", "minimum": 10 * LEAST, "maximum": LEAST},
    {"const": LEAST},
    {"allOf": [{"const": -1e300}, {"type": "integer", "maximum": 5}]},
    {"allOf": [{"minimum": LEAST}, {"maximum": -5}], "type": "integer"},
    {"$ref": "#/x", "x": {"type": "integer", "minimum": LEAST, "maximum": -1}},
    {"$id": "https://a.test/s", "$ref": "s#/x", "x": {"type": "integer", "minimum": LEAST, "maximum": -1}},
]


def chain(length: int, to: str) -> dict[str, Any]:
    """References that lead on and on."""
    links = {f"a{at}": {"items": {"$ref": f"{to}a{at + 1}"}} for at in range(length)}
    return {"$id": "https://a.test/s", "$ref": f"{to}a0", "$defs": {**links, f"a{length}": {}}}


CHECKED = """
import json, sys
from runtime.engine.text.json_schema import SchemaInvalid, enforceable
for schema in json.load(sys.stdin):
    for lenient in (False, True):
        try:
            enforceable(schema, "schema", lenient=lenient)
        except SchemaInvalid:
            pass
print("alive")
"""


def test_no_number_and_no_reference_ends_the_process() -> None:
    """In a process of its own, which the faults of these ended at once."""
    nowhere = [{"$id": "http://[x", "$ref": "a"}, {"$id": "https://a.test/s", "$ref": "http://[x#/b"}]
    schemas = [
        *DEADLY,
        *nowhere,
        chain(2500, "https://a.test/s#/$defs/"),
        chain(2500, "#/%24defs/"),
        chain(2500, "#/$defs/"),
    ]
    ended = subprocess.run(
        [sys.executable, "-c", CHECKED], input=json.dumps(schemas), capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (0, "alive\n"), ended.stderr


@pytest.fixture(scope="module")
def draws(tmp_path_factory: pytest.TempPathFactory) -> Draws:
    folder: Path = write_tiny_chat_model(tmp_path_factory.mktemp("tiny"))
    return Draws(load_tokenizer(folder))


def of_schema(schema: Any) -> str:
    return f"start: %json {json.dumps(enforceable(schema, 'schema').schema)}"


@pytest.mark.parametrize(
    ("bounds", "fits", "does_not"),
    [
        ({"exclusiveMinimum": 0, "maximum": 0.5}, ["0.1", "0.5", "0.000001"], ["0", "0.0", "-0", "0.51"]),
        ({"exclusiveMinimum": 0, "maximum": 0.0001}, ["0.0001", "0.000001"], ["0"]),
        ({"minimum": -0.5, "exclusiveMaximum": 0}, ["-0.5", "-0.1"], ["0", "-0"]),
        ({"minimum": -1.5, "exclusiveMaximum": -1}, ["-1.5", "-1.1"], ["-1", "-1.0"]),
        ({"minimum": 1, "exclusiveMinimum": True, "maximum": 1.5}, ["1.25"], ["1", "1.0"]),
        ({"exclusiveMinimum": 0, "exclusiveMaximum": 1}, ["0.01", "0.99"], ["0", "1"]),
        ({"exclusiveMinimum": 0}, ["0.01", "7"], ["0", "-1"]),
        ({"minimum": -1e300, "maximum": 1e300}, ["-5.5", "12345678901"], []),
        ({"minimum": 0.0, "maximum": 1.8446744073709552e19}, ["0", "123456"], ["-1"]),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("merged", [False, True])
def test_a_number_keeps_to_its_bounds(
    draws: Draws, bounds: dict[str, Any], fits: list[str], does_not: list[str], merged: bool
) -> None:
    words = [{key: value} for key, value in bounds.items()] if True not in bounds.values() else [bounds]
    source = of_schema({"type": "number", **({"allOf": words} if merged else bounds)})
    assert [text for text in fits if not draws.accepts(source, text)] == []
    assert [text for text in does_not if draws.accepts(source, text)] == []


@pytest.mark.parametrize(
    ("schema", "fits", "does_not"),
    [
        ({"minimum": LEAST, "maximum": 2**63 - 1}, [-5, 2**60, -(2**62)], [2**63, -(2**63) - 1]),
        ({"minimum": 0, "maximum": 2**64 - 1}, [0, 20_000_000_000], [-1, 2**64]),
        ({"minimum": -(2**53) + 1, "maximum": 2**53 - 1}, [0, 2**53 - 1, -(2**53) + 1], [2**53, -(2**53)]),
        ({"minimum": 2**53 + 1, "maximum": 2**53 + 9}, [2**53 + 2, 2**53 + 8], [2**53, 2**53 + 10]),
        ({"exclusiveMinimum": 2**53, "exclusiveMaximum": 2**53 + 4}, [2**53 + 2], [2**53, 2**53 + 4]),
        ({"minimum": 10**18}, [10**18, 9 * 10**18], [10**18 - 1]),
        ({"maximum": -(10**18)}, [-(10**18)], [-(10**18) + 1]),
        ({"enum": [2**53, 7]}, [2**53, 7], [8]),
        ({"multipleOf": 86_400}, [0, 86_400], [86_399]),
    ],
)
def test_an_integer_keeps_to_bounds_of_any_size(
    draws: Draws, schema: dict[str, Any], fits: list[int], does_not: list[int]
) -> None:
    source = of_schema({"type": "integer", **schema})
    assert [number for number in fits if not draws.accepts(source, str(number))] == []
    assert [number for number in does_not if draws.accepts(source, str(number))] == []


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ({"type": "integer", "minimum": 2**63}, "`minimum` cannot be enforced beyond 64 bits"),
        ({"type": "integer", "maximum": LEAST}, "`maximum` cannot be enforced beyond 64 bits"),
        ({"type": "integer", "minimum": 2**60 + 1, "maximum": 2**60 + 2}, "`minimum` and `maximum` cannot be"),
        ({"enum": [1, 2**53 + 1]}, "a number in `enum` has too many digits"),
        ({"const": {"id": [123456789.12345679]}}, "a number in `const` has too many digits"),
        ({"type": "integer", "multipleOf": 1_000_003}, "`multipleOf` has too many digits"),
    ],
)
def test_a_number_that_cannot_be_kept_to_is_refused_or_left_out(inner: dict[str, Any], words: str) -> None:
    schema = {"type": "object", "properties": {"a": inner}}
    with pytest.raises(SchemaInvalid) as refused:
        enforceable(schema, "schema")
    assert refused.value.param == "schema.properties.a" and words in refused.value.message
    assert words in enforceable(schema, "schema", lenient=True).ignored[0]


def test_many_multiples_are_not_compiled_for_minutes() -> None:
    many = {f"p{at}": {"type": "integer", "multipleOf": 99_991 - at} for at in range(20)}
    with pytest.raises(SchemaInvalid, match="`multipleOf` together"):
        enforceable({"type": "object", "properties": many}, "schema", lenient=True)


BRANCH = {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree/anyOf/1"}}}]}
TREE = {"properties": {"left": {"$ref": "#/$defs/tree"}}, "$defs": {"tree": BRANCH}}
PET = {"type": "object", "properties": {"kid": {"$ref": "#/components/Pet"}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "fits", "does_not"),
    [
        ({"$ref": "#/components/Pet", "components": {"Pet": PET}}, '{"kid":{}}', '{"kid":1}'),
        ({"$id": "T0", "type": "object", "properties": {"n": {"$ref": "T0"}}}, '{"n":{"n":{}}}', '{"n":1}'),
        ({"properties": {"a": {"$id": "T1", "type": "array", "items": {"$ref": "T1"}}}}, '{"a":[[]]}', '{"a":[1]}'),
        ({"$ref": "#leaf", "$defs": {"a": {"$anchor": "leaf", "type": "null"}}}, "null", "1"),
        ({"$ref": "#leaf", "definitions": {"a": {"$id": "#leaf", "type": "null"}}}, "null", "1"),
        ({"$ref": "#/$defs/a~1b~0c%20%C3%A9", "$defs": {"a/b~c é": {"type": "null"}}}, "null", "1"),
        (TREE, '{"left":{"left":{}}}', '{"left":{"left":"x"}}'),
        ({"$ref": "#/$defs/kind", "$defs": {"kind": {"enum": ["a", "b"]}}}, '"b"', '"c"'),
        ({"$ref": "#/definitions/_gen:tags", "definitions": {"_gen:tags": {"type": "null"}}}, "null", "1"),
        ({"$ref": "#/$defs/any", "$defs": {"any": True, "unused": {"$ref": "#/gone"}}}, "[1]", "x"),
    ],
    ids=["elsewhere", "id", "inner-id", "anchor", "draft-7-anchor", "escaped", "array", "enum", "colon", "unused"],
)
def test_a_reference_leads_where_the_schema_says(draws: Draws, schema: Any, fits: str, does_not: str) -> None:
    source = of_schema(schema)
    assert draws.accepts(source, fits) and not draws.accepts(source, does_not)


NESTED_TEXT = {"type": "object", "properties": {"s": {"type": "string", "maxLength": 5000}}, "required": ["s"]}


@pytest.mark.parametrize(
    ("schema", "fits", "does_not"),
    [
        ({"type": "array", "items": {"type": "string"}, "maxItems": 0}, "[]", '["a"]'),
        (
            {"properties": {"o": NESTED_TEXT}},
            json.dumps({"o": {"s": "x" * 5000}}),
            json.dumps({"o": {"s": "x" * 5001}}),
        ),
        ({"properties": {"s": {"type": "string", "pattern": "\\S"}}}, '{"s":" a "}', '{"s":"  "}'),
        ({"items": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5}}, '["abcde"]', '["abcdef"]'),
        ({"enum": ['say "hi"', "a\\b"]}, '"say \\"hi\\""', '"say hi"'),
        (
            {"type": "object", "properties": {"a": {"type": "null"}}},
            '{\n  "a" : null\n}',
            '{"a":' + "\n" * 60 + "null}",
        ),
    ],
    ids=["no-items", "long-text", "unanchored", "pattern-and-length", "quotes", "white-space"],
)
def test_a_schema_is_kept_to(draws: Draws, schema: Any, fits: str, does_not: str) -> None:
    source = of_schema(schema)
    jsonschema.validate(json.loads(fits), schema)
    assert draws.accepts(source, fits) and not draws.accepts(source, does_not)


def test_a_pattern_that_cannot_be_read_is_not_passed_over() -> None:
    with pytest.raises(SchemaInvalid, match="regex parse error"):
        enforceable({"type": "string", "pattern": "^[a-z$"}, "schema")
