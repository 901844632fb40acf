"""The schemas of the models that requests and answers are made of, as pydantic states them.

All models are asked for at once, so that each has one schema and one name. JSON Schema 2020-12, as OpenAPI 3.1 has it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from runtime.sse import Json

_PREFIX = "#/components/schemas/"
_MODULE = re.compile(r"runtime__apis__([a-z0-9_]+?)__")
"""The API in pydantic's name for one of several models of the same name."""


class _Generator(GenerateJsonSchema):
    """Pydantic's schemas without what says nothing: a title for each field, and null as the default. A field that has
    one value is described by it, unless its model says more.
    """

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        """In the order of the code: an example is read from its first field on."""
        return value

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_field_schema(self, schema: core_schema.ModelField) -> JsonSchemaValue:
        return _described(super().model_field_schema(schema))

    def typed_dict_field_schema(self, schema: core_schema.TypedDictField) -> JsonSchemaValue:
        return _described(super().typed_dict_field_schema(schema))

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if "default" in made and made["default"] is None:
            del made["default"]
        return made

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """A function may choose a member although others fit too, so `oneOf` would refuse what it accepts."""
        made = super().tagged_union_schema(schema)
        if not isinstance(schema["discriminator"], str) and "oneOf" in made:
            made["anyOf"] = made.pop("oneOf")
        return made


class Schemas:
    """The schema of each model. components: by name, as they are below `components.schemas`; those that a document does
    not need are left out by `used`.
    """

    def __init__(self, models: Iterable[type[BaseModel]]) -> None:
        asked = [(model, "validation") for model in dict.fromkeys(models)]
        refs, made = models_json_schema(
            asked,  # type: ignore[arg-type]  # "validation" is one of its modes
            schema_generator=_Generator,
            ref_template=_PREFIX + "{model}",
        )
        definitions: Mapping[str, Json] = made.get("$defs", {})
        names = _names(definitions)
        self._refs: dict[type, Json] = {model: _renamed(ref, names) for (model, _), ref in refs.items()}
        self.components: dict[str, Json] = {}
        for key, definition in definitions.items():
            schema = _renamed(definition, names)
            schema.pop("title", None)
            self.components[names[key]] = schema

    def of(self, model: type[BaseModel]) -> Json:
        """A reference to the schema of a model."""
        return self._refs[model]

    def at(self, reference: Json) -> Json:
        """The schema that a reference is to."""
        return self.components[_name(reference)]

    def body(self, model: type[BaseModel], *, outside: Collection[str], is_form: bool) -> Json:
        """A reference to the schema of a body. outside: the fields of the model that are not in it."""
        reference = self.of(model)
        if not outside and not is_form:
            return reference
        whole, name = self.at(reference), f"{_name(reference)}Body"
        fields = {key: value for key, value in whole.get("properties", {}).items() if key not in outside}
        if is_form:
            fields = {key: without_null(value) for key, value in fields.items()}
        lists = {
            "required": [key for key in whole.get("required", ()) if key in fields],
            "examples": [{key: one[key] for key in one if key in fields} for one in whole.get("examples", ())],
        }
        others = {key: value for key, value in whole.items() if key not in lists}
        self.components[name] = {**others, "properties": fields, **{key: made for key, made in lists.items() if made}}
        return {"$ref": _PREFIX + name}

    def used(self, document: Json) -> dict[str, Json]:
        """The components that a document refers to, also through others, sorted by name."""
        found: set[str] = set()
        waiting = list(_references(document))
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(_references(self.components[name]))
        return {name: self.components[name] for name in sorted(found)}


def without_null(schema: Json) -> Json:
    """The schema of a field of a query, path or form, where nothing means null."""
    made = dict(schema)
    kinds = [kind for kind in made.pop("anyOf", ()) if kind != {"type": "null"}]
    return made | ({"anyOf": kinds} if len(kinds) > 1 else kinds[0] if kinds else {})


def _described(field: JsonSchemaValue) -> JsonSchemaValue:
    return {"description": f"Always `{field['const']}`.", **field} if "const" in field else field


def _name(reference: Json) -> str:
    found: str = reference["$ref"]
    return found.removeprefix(_PREFIX)


def _names(definitions: Mapping[str, Json]) -> dict[str, str]:
    """A name for each of pydantic's names: the class's own, with its API in front where several have it, and a number
    where that does not help.
    """
    plain = {key: _camel(str(schema.get("title", key))) for key, schema in definitions.items()}
    shared = {name for name, count in Counter(plain.values()).items() if count > 1}
    names: dict[str, str] = {}
    for key in sorted(definitions):
        name = plain[key]
        if name in shared and (module := _MODULE.match(key)):
            name = _camel(module[1]) + name
        wanted, number = name, 1
        while name in names.values():
            number += 1
            name = f"{wanted}{number}"
        names[key] = name
    return names


def _camel(name: str) -> str:
    """`PageModel` for `Page[Model]`, `OtherPart` for `_OtherPart`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The same schema with other names of components."""
    if isinstance(value, dict):
        return {key: _renamed(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, names) for inner in value]
    if isinstance(value, str) and value.startswith(_PREFIX):
        return _PREFIX + names[value.removeprefix(_PREFIX)]
    return value


def _references(value: Any) -> Iterator[str]:
    """The names of the components that a part of a document refers to."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
    elif isinstance(value, str) and value.startswith(_PREFIX):
        yield value.removeprefix(_PREFIX)
