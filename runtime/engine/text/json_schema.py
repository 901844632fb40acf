"""JSON Schemas that an answer must keep to: checked, and brought into the form that decoding takes.

Knows JSON Schema (https://json-schema.org/draft/2020-12) and what llguidance can enforce of it
(https://github.com/guidance-ai/llguidance/blob/main/docs/json_schema.md); no tokens, no requests.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.engine.requests.grammar import short_reason
from runtime.engine.text.schema_numbers import MOST_STEPS, exact, out_of_reach, steps
from runtime.engine.text.schema_places import at, children, places, pointed, with_inner
from runtime.engine.text.schema_references import LeadsNowhere, plain
from runtime.errors import RequestError

Schema = Mapping[str, Any] | bool

# How answers are written: at most one line break in a row, or a small model writes line breaks without end.
_OPTIONS = {"whitespace_pattern": r"[ \t]|\n[ \t]{0,40}", "coerce_one_of": False, "lenient": False}

_BYTES, _PROPERTIES, _PATTERN_PROPERTIES = 262_144, 5_000, 100
_NESTING = 100  # its reader of JSON takes 127
# llguidance goes down the nesting, and through every `$ref`, on the native stack; it overflows at about 2,000 levels.
_LEVELS = 1_000
# It builds the intersection of regular expressions where schemas are merged; from about 20 that takes minutes.
_MERGED_PATTERNS = 12
_PLACES_TRIED, _SECONDS_TRIED = 300, 1.0

_MERGING = ("allOf", "anyOf", "oneOf", "$ref")
_OBJECT_WORDS = ("properties", "required", "additionalProperties", "patternProperties")


class SchemaInvalid(RequestError):
    """A schema that is wrong, or that we cannot enforce."""

    code = "invalid_json_schema"


@dataclass(frozen=True)
class Enforced:
    """A schema that llguidance can compile. ignored: what of it is not enforced, in words; for a lenient one only."""

    schema: dict[str, Any]
    ignored: tuple[str, ...] = ()


def enforceable(schema: object, param: str, *, lenient: bool = False) -> Enforced:
    """The schema as decoding enforces it: objects that list their properties have no others, which is a narrower form
    of the same schema.

    param: the field of the request that holds it, for errors. lenient: leave out the keywords that cannot be enforced
    instead of refusing them. Takes milliseconds; a second for the largest.
    Raises SchemaInvalid, whose `param` leads to the wrong place in the schema.
    """
    if not isinstance(schema, dict | bool):
        raise SchemaInvalid(f"`{param}` is not a JSON Schema; a schema is an object.", param=param)
    whole: dict[str, Any] = schema if isinstance(schema, dict) else {} if schema else {"not": {}}
    _check_size(whole, param)
    try:
        whole = plain(whole)
    except LeadsNowhere as error:
        raise SchemaInvalid(f"`{param}{error.place}`: {error}.", param=param + error.place) from error
    _check_bounds(whole, param)
    left_out: dict[str, None] = {}
    if lenient:
        whole = _softened(whole, left_out)
    _check_reach(whole, param)
    whole = _exact(whole, merged=_merges(whole))
    reason, *warnings = _compile(whole)
    if reason and lenient:
        refusal = reason
        reason, *warnings = _compile(whole, lenient=True)
        warnings = warnings or [refusal]
    if reason:
        place, reason = _place_of_error(whole)
        raise SchemaInvalid(f"`{param}{place}`: {reason}.", param=param + place)
    kept = {key: value for key, value in whole.items() if key != "x-guidance"}
    narrowed = kept if _merges(kept) else _closed(kept)
    options = {**_OPTIONS, "lenient": bool(warnings)}
    return Enforced({**narrowed, "x-guidance": options}, (*left_out, *warnings))


@dataclass
class _Counts:
    levels: int = 0
    properties: int = 0
    pattern_properties: int = 0
    patterns: set[str] = field(default_factory=set)
    targets: set[str] = field(default_factory=set)


def _check_size(schema: dict[str, Any], param: str) -> None:
    """Raises SchemaInvalid for what is no JSON, or too large to be looked at."""
    try:
        size = len(json.dumps(schema, allow_nan=False, ensure_ascii=False).encode("utf-8"))
        nesting = _depth(schema)
    except (ValueError, RecursionError) as error:
        raise SchemaInvalid(f"`{param}` is not JSON: {error}.", param=param) from error
    for found, most, what in ((size, _BYTES, "bytes"), (nesting, _NESTING, "levels of nesting")):
        if found > most:
            raise SchemaInvalid(f"`{param}` has {found} {what}; at most {most} are taken.", param=param)


def _check_bounds(schema: dict[str, Any], param: str) -> None:
    """Raises SchemaInvalid for a schema that would take too long to compile, or overflow llguidance's stack."""
    counts = _Counts()
    counts.levels = _count(schema, counts)
    multiples = sum(found for _, node in places(schema) if (found := steps(node)) <= MOST_STEPS)
    counts.levels += sum(_depth(_target(schema, target)) for target in counts.targets)
    for found, most, what in (
        (counts.levels, _LEVELS, "levels of nesting, references included"),
        (counts.properties, _PROPERTIES, "properties"),
        (multiples, MOST_STEPS, "in `multipleOf` together"),
        (counts.pattern_properties, _PATTERN_PROPERTIES, "pattern properties"),
        (
            len(counts.patterns) if _merges(schema) else 0,
            _MERGED_PATTERNS,
            "patterns and formats beside merged schemas",
        ),
    ):
        if found > most:
            raise SchemaInvalid(f"`{param}` has {found} {what}; at most {most} are taken.", param=param)


_NO_LEAST = "`minProperties` cannot be enforced beyond the required properties"


def _check_reach(schema: dict[str, Any], param: str) -> None:
    """Raises SchemaInvalid for what llguidance takes and does not keep to."""
    for place, node in places(schema):
        for _, words in _out_of_reach(node):
            raise SchemaInvalid(f"`{param}{place}`: {words}.", param=f"{param}{place}")


def _out_of_reach(node: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The keywords that would not be kept to, and why, in words."""
    if _asks_for_more(node):
        yield ("minProperties",), _NO_LEAST
    yield from out_of_reach(node)


def _exact(node: Any, *, merged: bool) -> Any:
    """`node` with bounds of numbers that are kept to, wherever it has any."""
    if not isinstance(node, dict):
        return node
    return exact(with_inner(node, lambda _, inner: _exact(inner, merged=merged)), merged=merged)


def _asks_for_more(node: dict[str, Any]) -> bool:
    """Whether an object must have more properties than its required ones."""
    least, required = node.get("minProperties"), node.get("required")
    return isinstance(least, int) and least > max(1, len(required) if isinstance(required, list) else 0)


def _softened(node: Any, left_out: dict[str, None]) -> Any:
    """`node` without each `pattern`, `minProperties` and bound that cannot be enforced; `left_out` gets them in
    words.
    """
    if not isinstance(node, dict):
        return node
    result = with_inner(node, lambda _, inner: _softened(inner, left_out))
    if isinstance(pattern := node.get("pattern"), str) and _compile({"type": "string", "pattern": pattern})[0]:
        left_out["`pattern` cannot be enforced"] = None
        del result["pattern"]
    for keywords, words in _out_of_reach(node):
        left_out[words] = None
        for keyword in keywords:
            result.pop(keyword, None)
    return result


def _count(value: Any, counts: _Counts) -> int:
    """The depth of `value`, with what is in it added to `counts`."""
    if isinstance(value, list):
        return 1 + max((_count(inner, counts) for inner in value), default=0)
    if not isinstance(value, dict):
        return 0
    for key, inner in value.items():
        if key == "$ref" and isinstance(inner, str):
            counts.targets.add(inner)
        elif key in ("pattern", "format") and isinstance(inner, str):
            counts.patterns.add(inner)
        elif key == "properties" and isinstance(inner, dict):
            counts.properties += len(inner)
        elif key == "patternProperties" and isinstance(inner, dict):
            counts.pattern_properties += len(inner)
            counts.patterns.update(inner)
    return 1 + max((_count(inner, counts) for inner in value.values()), default=0)


def _depth(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(_depth, value.values() if isinstance(value, dict) else value), default=0)


def _merges(schema: Any) -> bool:
    """Whether several schemas apply to one object or string of an answer: then each alone may not be narrowed."""
    for _, node in places(schema):
        if "allOf" in node or (any(word in node for word in _MERGING) and any(word in node for word in _OBJECT_WORDS)):
            return True
        if "$ref" in node and any(word in node for word in ("pattern", "format", *_MERGING[:3])):
            return True
    return False


def _closed(node: Any) -> Any:
    """`node` without properties that are not listed, wherever that cannot contradict the rest."""
    if isinstance(node, bool) or not isinstance(node, dict):
        return node
    result = with_inner(node, lambda _, inner: _closed(inner))
    if "additionalProperties" not in node and _has_all_required(node):
        result["additionalProperties"] = False
    return result


def _has_all_required(node: dict[str, Any]) -> bool:
    """Whether an object with listed properties alone can be valid. A definition that nothing refers to may be wrong."""
    listed, required, least = node.get("properties"), node.get("required", []), node.get("minProperties", 0)
    if not (isinstance(listed, dict) and listed and isinstance(required, list) and isinstance(least, int)):
        return False
    return all(isinstance(name, str) and name in listed for name in required) and least <= len(required)


def _place_of_error(schema: dict[str, Any]) -> tuple[str, str]:
    """The innermost schema that fails on its own, and why it does; one around it where that takes too long to find."""
    end = time.monotonic() + _SECONDS_TRIED
    shared: dict[str, Any] = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    node: Any = schema
    place, reason, tries = "", _compile(schema)[0], _PLACES_TRIED
    while True:
        for _, step, inner in children(node):
            tries -= 1
            if tries < 0 or time.monotonic() > end:
                return place, reason
            failure = _compile({**shared, **inner})[0] if isinstance(inner, dict) else _not_a_schema(inner)
            if failure and not _only_refers(inner, schema):
                place, node, reason = place + step, inner, failure
                break
        else:
            return place, reason
        if not isinstance(node, dict):
            return place, reason


def _only_refers(node: Any, schema: dict[str, Any]) -> bool:
    """Whether what is wrong with a node is in the definition that it refers to."""
    return (
        isinstance(node, dict)
        and set(node) == {"$ref"}
        and at(schema, pointed(node["$ref"].removeprefix("#"))) is not None
    )


def _not_a_schema(value: Any) -> str:
    return "" if isinstance(value, bool) else "a schema is an object or a boolean"


def _compile(schema: dict[str, Any], *, lenient: bool = False) -> list[str]:
    """Why llguidance cannot enforce `schema`, empty where it can; then what a lenient one ignores."""
    from llguidance import LLMatcher

    options: Any = {**_OPTIONS, "lenient": lenient}
    try:
        grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=options)
    except ValueError as error:  # JSON that its reader does not take
        return [short_reason(str(error))]
    failed, messages = LLMatcher.validate_grammar_with_warnings(grammar)
    readable = [_readable(message) for message in messages]
    return readable[:1] if failed else ["", *readable]


_REPEATED = re.compile(r" \(\d+ times\)\Z")  # said of a message for several places


def _readable(message: str) -> str:
    """llguidance's message in the words of JSON Schema."""
    message = _REPEATED.sub("", message)
    names = message.removeprefix("Unimplemented keys: ")
    if names != message:
        words = ", ".join(f"`{name}`" for name in json.loads(names))
        return f"{words} cannot be enforced"
    if message.startswith("Unknown format: "):
        return f"the format `{message.removeprefix('Unknown format: ')}` cannot be enforced"
    if message.startswith("oneOf not fully supported"):
        return "`oneOf` is enforced as `anyOf`"
    if message.startswith("oneOf constraints"):
        return "`oneOf` can be enforced only where its schemas exclude each other; take `anyOf`"
    return short_reason(message)


def _target(schema: dict[str, Any], reference: str) -> Any:
    """What a reference leads to; None for nothing."""
    return at(schema, pointed(reference.removeprefix("#")))
