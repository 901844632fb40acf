"""The fields of queries and forms, from pairs of name and value.

Clients write lists and objects with repeated names or brackets: `tag=a&tag=b`, `tag[]=a`, `filter[key]=a`, or as JSON.
WHATWG URL, 5.2; what JSON in a form means: https://spec.openapis.org/oas/v3.1.1.html#encoding-object.
"""

from __future__ import annotations

import contextlib
import re
import types
import typing
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel
from pydantic_core import from_json

from runtime.errors import RequestError, TooLarge
from runtime.invalid.vocabulary import quoted
from runtime.parsing.amounts import USUAL, check_amount

MAX_FIELDS = 1000
URLENCODED = "application/x-www-form-urlencoded"
MAX_TEXT_BYTES = 1024 * 1024
"""Of all fields of a form that are no files."""
NOT_UTF8 = "\ufffd"
"""Decoding replaces bytes that are not UTF-8 by this character."""
_BRACKETED = re.compile(r"[^\[\]]+(\[[^\[\]]*\])+")
_MAX_DEPTH = 8
_MAX_INDEX_DIGITS = 9


def urlencoded(data: bytes, model: type[BaseModel]) -> dict[str, Any]:
    """The fields of a form without files. Raises RequestError for one that is invalid, TooLarge."""
    if len(data) > MAX_TEXT_BYTES:
        raise too_much_text()
    try:
        pairs = parse_qsl(data.decode(errors="replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise RequestError(f"The form has more than {MAX_FIELDS} fields", code="invalid_form") from error
    return nested(pairs, model, "form")


def too_much_text() -> TooLarge:
    """The error for a form whose fields have more than `MAX_TEXT_BYTES`."""
    return TooLarge(f"The fields of the form have more than {MAX_TEXT_BYTES} bytes")


def nested(given: Iterable[tuple[str, Any]], model: type[BaseModel], place: str) -> dict[str, Any]:
    """The fields from pairs of name and value. A list field gets a list also for a single value. place: for messages.

    Raises RequestError for text that is not UTF-8, for names that contradict each other, and for too much nesting.
    """
    found: dict[str, Any] = {}
    for key, value in given:
        name, *steps = key.replace("]", "").split("[") if _BRACKETED.fullmatch(key) else [key]
        if NOT_UTF8 in key or (isinstance(value, str) and NOT_UTF8 in value):
            raise RequestError(f"`{name}` in the {place} is not UTF-8", param=name, code="invalid_value")
        if len(steps) > _MAX_DEPTH or "" in steps[:-1] or not _put(found, [name, *steps], value):
            raise RequestError(f"`{quoted(key)}` in the {place} cannot be understood", param=name, code="invalid_value")
    return {name: _as_wanted(_with_lists(value), model, name) for name, value in found.items()}


def _put(holder: dict[str, Any], steps: list[str], value: Any) -> bool:
    """Put a value where its name leads. Returns False if there is already a value of another kind."""
    name, *rest = steps
    if not rest or rest == [""]:
        present = holder.get(name)
        if isinstance(present, dict):
            return False
        if name not in holder:
            holder[name] = [value] if rest else value
        elif isinstance(present, list):
            present.append(value)
        else:
            holder[name] = [present, value]
        return True
    inner = holder.setdefault(name, {})
    return isinstance(inner, dict) and _put(inner, rest, value)


def _with_lists(value: Any) -> Any:
    """Converts objects whose names are all numbers to lists in that order."""
    if not isinstance(value, dict):
        return value
    if all(name.isdecimal() and len(name) <= _MAX_INDEX_DIGITS for name in value):
        return [_with_lists(value[name]) for name in sorted(value, key=int)]
    return {name: _with_lists(inner) for name, inner in value.items()}


def takes_several(model: type[BaseModel], field: str) -> bool:
    """Whether a field is a list."""
    return _shape(model, field).is_list


def _as_wanted(value: Any, model: type[BaseModel], field: str) -> Any:
    """Converts a single value of a list field to a list; reads objects and lists that are written as JSON."""
    shape = _shape(model, field)
    if shape.is_json:
        value = _read(value)
    if isinstance(value, list):
        return [_read(one) for one in value] if shape.holds_json else value
    return [value] if shape.is_list else value


def _read(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        check_amount(value.encode(), USUAL)
        with contextlib.suppress(ValueError):  # the model then refuses the text
            return from_json(value, allow_inf_nan=False)
    return value


class _Shape(typing.NamedTuple):
    """What a field may be. is_list: a list, and no text. is_json: a list or an object, and no text. holds_json: a list
    of objects, whether or not it may be a text too.
    """

    is_list: bool
    is_json: bool
    holds_json: bool


@lru_cache(512)
def _shape(model: type[BaseModel], field: str) -> _Shape:
    known = model.model_fields.get(field)
    kinds = [] if known is None else [*_kinds(known.annotation)]
    lists = [kind for kind in kinds if typing.get_origin(kind) is list or kind is list]
    may_be_text = str in kinds
    held = [one for kind in lists for of in typing.get_args(kind) for one in _kinds(of)]
    return _Shape(
        is_list=bool(lists) and not may_be_text,
        is_json=not may_be_text and (bool(lists) or any(map(_is_object, kinds))),
        holds_json=str not in held and any(map(_is_object, held)),
    )


def _kinds(annotation: Any) -> Iterator[Any]:
    """The alternatives of an annotation, without their metadata."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _kinds(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for one in typing.get_args(annotation):
            yield from _kinds(one)
    else:
        yield annotation


def _is_object(kind: Any) -> bool:
    """Whether it is a dict, typed or not, or a model."""
    origin = typing.get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, dict | BaseModel)
