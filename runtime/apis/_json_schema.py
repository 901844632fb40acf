"""Checks that what a caller calls a JSON Schema is one, by the metaschema of its draft, and what fits one.

https://json-schema.org/specification. Nothing is fetched: a `$schema` that is not one of the known drafts counts as the
newest, and `$ref` is not followed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from runtime.errors import RequestError

_DRAFT = re.compile(r"https?://json-schema\.org/(draft-0[467]|draft/(2019-09|2020-12))/schema#?")
_MAX_EXPLAINED_BYTES = 32 * 1024
"""Of a schema: the library takes seconds to put the mistake of a large one into words, which would repeat all of it."""
_MAX_WORDS = 300


def _checked(schema: dict[str, Any]) -> dict[str, Any]:
    words, inside = _mistake(_of_known_draft(schema))
    if words:
        raise PydanticCustomError(
            "json_schema", "{words}", {"words": f"not a valid JSON Schema{words}", "inside": inside}
        )
    return schema


def _mistake(schema: dict[str, Any]) -> tuple[str, str]:
    """What is wrong, and where; both empty for a schema that is valid."""
    import jsonschema_rs  # not by `build`, which imports the APIs to plan
    import msgspec

    try:
        if jsonschema_rs.meta.is_valid(schema):
            return "", ""
        if len(msgspec.json.encode(schema)) > _MAX_EXPLAINED_BYTES:
            return f"; it is larger than {_MAX_EXPLAINED_BYTES} bytes, so that its mistake is not looked for", ""
        jsonschema_rs.meta.validate(schema)
    except jsonschema_rs.ValidationError as error:
        inside = _place(error.instance_path)
        return f"{f' at `{inside}`' if inside else ''}: {_cut(error.message)}", inside
    except (ValueError, RecursionError) as error:
        return f": {_cut(str(error))}", ""
    return "", ""


def _cut(words: str) -> str:
    return words if len(words) <= _MAX_WORDS else f"{words[:_MAX_WORDS]}\u2026"


def _of_known_draft(schema: dict[str, Any]) -> dict[str, Any]:
    named = schema.get("$schema")
    if named is None or (isinstance(named, str) and _DRAFT.fullmatch(named)):
        return schema
    return {name: value for name, value in schema.items() if name != "$schema"}


def _place(path: list[str | int]) -> str:
    """`properties.a.items[0]` for ["properties", "a", "items", 0]."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


JsonSchema = Annotated[dict[str, Any], AfterValidator(_checked)]
"""A JSON Schema, given by a caller."""


def fitting(schema: dict[str, Any], *, param: str) -> Callable[[Any], str | None]:
    """A check of values by a schema that is one: what is wrong with a value, None where it fits. param: the field with
    the schema. Raises RequestError for a `$ref` that leads to nothing, or out of the schema.
    """
    import jsonschema_rs

    try:
        validator = jsonschema_rs.validator_for(_of_known_draft(schema), retriever=_not_fetched)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        words = _cut(getattr(error, "message", str(error)))
        raise RequestError(f"`{param}` cannot be followed: {words}", param=param, code="invalid_value") from None

    def wrong(value: Any) -> str | None:
        if (error := next(validator.iter_errors(value), None)) is None:
            return None
        inside = _place(error.instance_path)
        return f"{f'`{inside}`: ' if inside else ''}{_cut(error.message)}"

    return wrong


def _not_fetched(uri: str) -> Any:
    raise ValueError(f"`{uri}` is not fetched")
