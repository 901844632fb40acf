"""Checks that what a caller calls a JSON Schema is one, by the metaschema of its draft.

https://json-schema.org/specification. Nothing is fetched: a `$schema` that is not one of the known drafts counts as the
newest, and `$ref` is not followed.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

_DRAFTS = ("draft-04/", "draft-06/", "draft-07/", "draft/2019-09/", "draft/2020-12/")


def _checked(schema: dict[str, Any]) -> dict[str, Any]:
    import jsonschema_rs  # not by `build`, which imports the APIs to plan

    try:
        jsonschema_rs.meta.validate(_of_known_draft(schema))
    except jsonschema_rs.ValidationError as error:
        inside = _place(error.instance_path)
        words = f"not a valid JSON Schema{f' at `{inside}`' if inside else ''}: {error.message}"
        raise PydanticCustomError("json_schema", "{words}", {"words": words, "inside": inside}) from error
    except (ValueError, RecursionError) as error:
        raise PydanticCustomError("json_schema", "not a valid JSON Schema: {why}", {"why": str(error)}) from error
    return schema


def _of_known_draft(schema: dict[str, Any]) -> dict[str, Any]:
    named = schema.get("$schema")
    if named is None or (isinstance(named, str) and any(draft in named for draft in _DRAFTS) and _is_official(named)):
        return schema
    return {name: value for name, value in schema.items() if name != "$schema"}


def _is_official(address: str) -> bool:
    return address.split("://", 1)[-1].startswith("json-schema.org/")


def _place(path: list[str | int]) -> str:
    """`properties.a.items[0]` for ["properties", "a", "items", 0]."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


JsonSchema = Annotated[dict[str, Any], AfterValidator(_checked)]
"""A JSON Schema, given by a caller."""
