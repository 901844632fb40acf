"""Where an error is: which steps of pydantic's location are the caller's, which are the names of union members, and
which names are known at a place. Read from the schema that pydantic itself validates by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel

Key = str | int
_KEY_OF_A_DICT = "[key]"
_WITH_FIELDS = ("model-fields", "typed-dict", "dataclass-args")


class Member(NamedTuple):
    """A member of a plain union. union: the location that leads to it. name: the member's. depth: how many of the
    caller's steps lead to the union.
    """

    union: tuple[Key, ...]
    name: Key
    depth: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """steps: of the value, as the caller wrote it. members: those of plain unions on the way. names: the fields that
    are known where the last step stands. tags: of the tagged union where the location ends.
    """

    steps: tuple[Key, ...]
    members: tuple[Member, ...] = ()
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class Places:
    """The places in values of one model."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._definitions: dict[str, Any] = {}
        self._root: Any = model.__pydantic_core_schema__

    def of(self, location: Sequence[Key], given: Any) -> Place:
        """The place of an error's location. given: the whole value, for what the schema leaves open."""
        at = [*self._opened([self._root])]
        steps: list[Key] = []
        members: list[Member] = []
        names: tuple[str, ...] = ()
        for number, key in enumerate(location):
            is_union = any(schema["type"] == "union" for schema in at)
            below, is_own = self._step(at, key)
            if below is None:  # the schema does not say: a validator of ours looked inside
                below, is_own = [], _has(given, key) or number == len(location) - 1
            if is_own:
                steps.append(key)
                names = tuple(name for schema in at for name in _names_of(schema))
                given = _child(given, key)
            elif is_union:
                members.append(Member(tuple(location[:number]), key, len(steps)))
            at = [*self._opened(below)]
        tags = tuple(str(tag) for schema in at if schema["type"] == "tagged-union" for tag in schema["choices"])
        return Place(steps=tuple(steps), members=tuple(members), names=tuple(dict.fromkeys(names)), tags=tags)

    def _opened(self, schemas: Iterable[Any]) -> Iterator[Any]:
        """The schemas that say what a value holds, from inside defaults, validators, models and references."""
        for schema in schemas:
            kind = schema["type"]
            if kind == "definitions":
                self._definitions |= {one["ref"]: one for one in schema["definitions"]}
                inner = [schema["schema"]]
            elif kind == "definition-ref":
                inner = [self._definitions[schema["schema_ref"]]]
            elif kind == "lax-or-strict":
                inner = [schema["strict_schema"]]
            elif kind == "json-or-python":
                inner = [schema["json_schema"]]
            elif kind == "chain":
                inner = schema["steps"][:1]
            elif "schema" in schema:
                inner = [schema["schema"]]
            else:
                yield schema
                continue
            yield from self._opened(inner)

    def _step(self, at: list[Any], key: Key) -> tuple[list[Any] | None, bool]:
        """The schemas below, None if none of these knows the key; and whether the key is the caller's."""
        for schema in at:
            if schema["type"] == "union":
                choices = [choice[0] if isinstance(choice, tuple) else choice for choice in schema["choices"]]
                return [choice for choice in choices if _name_of(choice) == key] or choices, False
            if schema["type"] == "tagged-union" and key in schema["choices"]:
                return [schema["choices"][key]], False
        found = [below for schema in at for below in _below(schema, key)]
        if found:
            return found, key != _KEY_OF_A_DICT
        return ([], True) if any(schema["type"] in _WITH_FIELDS for schema in at) else (None, False)


def _name_of(schema: Any) -> str:
    """The name of a model, by which pydantic calls this member of a union."""
    while schema["type"] != "model" and "schema" in schema:
        schema = schema["schema"]
    return schema["cls"].__name__ if schema["type"] == "model" else ""


def _below(schema: Any, key: Key) -> Iterator[Any]:
    kind = schema["type"]
    if kind in _WITH_FIELDS:
        fields = schema["fields"]
        pairs = fields.items() if isinstance(fields, dict) else ((one["name"], one) for one in fields)
        yield from (field["schema"] for name, field in pairs if key in _aliases(name, field))
    elif kind == "dict":
        yield schema.get("values_schema", {"type": "any"})
    elif kind == "tuple" and isinstance(key, int):
        items = schema["items_schema"]
        yield items[min(key, len(items) - 1)]
    elif "items_schema" in schema and isinstance(key, int):
        yield schema["items_schema"]


def _names_of(schema: Any) -> Iterator[str]:
    if schema["type"] in ("model-fields", "typed-dict"):
        for name, field in schema["fields"].items():
            yield from _aliases(name, field)


def _aliases(name: str, field: Any) -> list[str]:
    """The names by which a field may be given."""
    alias = field.get("validation_alias")
    if alias is None:
        return [name]
    if isinstance(alias, str):
        return [alias]
    paths = alias if isinstance(alias[0], list) else [alias]
    return [path[0] for path in paths if len(path) == 1]


def _has(given: Any, key: Key) -> bool:
    if isinstance(key, int):
        return isinstance(given, list)
    return isinstance(given, dict) and key in given


def _child(given: Any, key: Key) -> Any:
    if isinstance(given, dict):
        return given.get(key)
    return given[key] if isinstance(given, list) and isinstance(key, int) and key < len(given) else None
