"""The arguments of a tool: one model says what they are to whoever calls it, and checks what is given."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from runtime.apis.tool_runtime.protocol import ToolDef, ToolList
from runtime.errors import RequestError
from runtime.invalid.describing import written
from runtime.invalid.in_json import wrong_in

M = TypeVar("M", bound="Arguments")
_PARAM = "kwargs"


class Arguments(BaseModel):
    """Each tool has a subclass, whose fields have descriptions for a model."""

    model_config = ConfigDict(extra="forbid")


def read(kind: type[M], tool: str, given: Mapping[str, Any]) -> M:
    """The arguments of a call. Those that are null count as left out, which is how some models write that. Raises
    RequestError that names the first wrong one.
    """
    try:
        return kind.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = wrong_in(given, error, kind)[0]
        place = written((_PARAM, *wrong.steps))
        known = ", ".join(f"`{name}`" for name in kind.model_fields)
        hint = wrong.hint or (f"its arguments are {known}" if wrong.is_absent else None)
        raise RequestError(f"`{place}` of `{tool}`: {wrong.message}", hint=hint, param=_PARAM) from None


def one_tool(name: str, description: str, kind: type[Arguments]) -> ToolList:
    """The list of a provider that has one tool."""
    return ToolList(data=[ToolDef(name=name, description=description, input_schema=_schema_of(kind))])


@cache
def _schema_of(kind: type[Arguments]) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments, for models: without references, titles, nulls and defaults."""
    schema = kind.model_json_schema()
    plain: dict[str, Any] = _plain(schema, schema.get("$defs", {}))
    return plain


def _plain(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_plain(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        named = definitions[schema["$ref"].rpartition("/")[2]]
        return _plain({**named, **{name: value for name, value in schema.items() if name != "$ref"}}, definitions)
    if "anyOf" in schema:
        [wanted] = [one for one in schema["anyOf"] if one != {"type": "null"}]
        return _plain({**wanted, **{name: value for name, value in schema.items() if name != "anyOf"}}, definitions)
    left_out = ("title", "default", "$defs")
    return {
        name: {field: _plain(one, definitions) for field, one in value.items()}
        if name == "properties"
        else _plain(value, definitions)
        for name, value in schema.items()
        if name not in left_out
    }
