"""The form that a request wants its answer's text to have: `response_format` of OpenAI, and vLLM's fields.

https://platform.openai.com/docs/guides/structured-outputs, https://docs.vllm.ai/en/latest/features/structured_outputs
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runtime.engine.text.answer_grammar import TextForm, choice_form, lark_form, regex_form, schema_form
from runtime.engine.text.json_schema import enforceable
from runtime.errors import NotSupported, RequestError

# By the names inside of `structured_outputs`, and with `guided_` before them.
_KINDS = ("json", "regex", "choice", "grammar", "json_object")
FORMAT_FIELDS = frozenset({"structured_outputs", *(f"guided_{kind}" for kind in _KINDS)})
_PATTERN_CHARACTERS, _CHOICES, _CHOICE_CHARACTERS = 8_192, 10_000, 100_000
_ANY_OBJECT = {"type": "object"}


def text_form(response_format: Any, extra: Mapping[str, Any]) -> TextForm | None:
    """The form of a request; None for any text. extra: its fields beyond OpenAI's. Takes up to a second.

    Raises RequestError, naming the place, for a form that is wrong or cannot be enforced, NotSupported for an unknown
    one.
    """
    asked = [*_response_format(response_format), *_extra_fields(extra)]
    if len(asked) > 1:
        names = ", ".join(f"`{param}`" for _, _, param in asked)
        raise RequestError(f"{names} ask for several forms of one answer; give one.", param=asked[1][2])
    return _form(*asked[0]) if asked else None


Asked = tuple[str, Any, str]
"""A kind of `_KINDS`, its value, and the field that has it."""


def _response_format(given: Any) -> list[Asked]:
    param = "response_format"
    match given:
        case None | {"type": "text"}:
            return []
        case {"type": "json_schema"}:
            described = given.get("json_schema")
            schema = described.get("schema") if isinstance(described, Mapping) else None
            return [("json", {} if schema is None else schema, f"{param}.json_schema.schema")]
        case {"type": "json_object", "schema": schema} if schema is not None:  # llama.cpp, Together
            return [("json", schema, f"{param}.schema")]
        case {"type": "json_object"}:
            return [("json_object", True, param)]
        case {"type": "regex", "pattern": pattern}:  # Together
            return [("regex", pattern, f"{param}.pattern")]
        case {"type": "grammar", "grammar": grammar}:  # Fireworks
            return [("grammar", grammar, f"{param}.grammar")]
    if not isinstance(given, Mapping):
        raise RequestError(f"`{param}` is an object with a `type`.", param=param)
    raise NotSupported(
        f"`response_format` of type `{given.get('type')}` is not supported here.",
        hint="take `text`, `json_object` or `json_schema`",
        param=f"{param}.type",
    )


def _extra_fields(extra: Mapping[str, Any]) -> list[Asked]:
    found = [(kind, extra.get(f"guided_{kind}"), f"guided_{kind}") for kind in _KINDS]
    if (nested := extra.get("structured_outputs")) is not None:
        if not isinstance(nested, Mapping):
            raise RequestError("`structured_outputs` is an object.", param="structured_outputs")
        for name in nested.keys() - set(_KINDS):
            if nested[name] is not None:
                raise NotSupported(f"`structured_outputs.{name}` is not supported here.", param="structured_outputs")
        found += [(kind, nested.get(kind), f"structured_outputs.{kind}") for kind in _KINDS]
    return [one for one in found if one[1] is not None and one[1] is not False]


def _form(kind: str, value: Any, param: str) -> TextForm:
    if kind == "json_object":
        return schema_form(enforceable(_ANY_OBJECT, param).schema, param)
    if kind == "json":
        return schema_form(enforceable(_schema(value, param), param).schema, param)
    if kind == "choice":
        return choice_form(_choices(value, param), param)
    if not isinstance(value, str) or not value:
        raise RequestError(f"`{param}` is a text.", param=param)
    if kind == "regex":
        if len(value) > _PATTERN_CHARACTERS:
            raise RequestError(f"`{param}` has more than {_PATTERN_CHARACTERS} characters.", param=param)
        return regex_form(value, param)
    return lark_form(value, param)


def _schema(value: Any, param: str) -> Any:
    """A schema, which vLLM takes as text too."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"`{param}` is not JSON: {error}.", param=param) from error


def _choices(value: Any, param: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise RequestError(f"`{param}` is a list of texts, at least one.", param=param)
    if len(value) > _CHOICES or sum(map(len, value)) > _CHOICE_CHARACTERS:
        raise RequestError(
            f"`{param}` has more than {_CHOICES} choices or {_CHOICE_CHARACTERS} characters.", param=param
        )
    return value
