"""The settings of a provider or another part of a run config, read from its model: what each is called, holds, and is
when left out.

Imports that one model, which is there without the provider's packages. Knows the JSON Schema that pydantic makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from runtime.config.provider_settings import config_model
from runtime.redaction import is_secret
from runtime.spec import Spec

_WORDS = {
    "string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "array": "list",
    "object": "mapping", "null": "nothing",
}  # fmt: skip
_ANY = "anything"


def config_fields(spec: Spec) -> list[dict[str, Any]]:
    """Every setting as `{name, type, default, description, secret, required}`, one inside another as `outer.inner`;
    default: as JSON, None where there is none.

    A remote provider has a `network` block besides; of that only the block itself is listed.
    """
    model = config_model(spec)
    fields = [one for one in fields_of(model) if not one["name"].startswith("network.")]
    if spec.kind == "remote" and "network" not in model.model_fields:
        fields.append(
            {
                "name": "network",
                "type": "mapping",
                "default": None,
                "description": "How its servers are reached: `tls`, `proxy`, `timeout`, `retries`, `headers`, ...",
                "secret": False,
                "required": False,
            }
        )
    return fields


def fields_of(model: type[BaseModel], *, entries: bool = False) -> list[dict[str, Any]]:
    """Every key of a model as `config_fields` has it; with `entries` also those of what its lists and mappings hold, as
    `list[].inner` and `mapping.*.inner`.
    """
    return fields_in(model.model_json_schema(mode="validation"), entries=entries)


def fields_in(schema: Mapping[str, Any], *, entries: bool = False) -> list[dict[str, Any]]:
    """The same of the JSON Schema that pydantic has made of a model."""
    return list(_fields(schema, schema.get("$defs", {}), entries=entries))


def _fields(
    schema: Mapping[str, Any], known: Mapping[str, Any], above: str = "", *, entries: bool = False
) -> Iterator[dict[str, Any]]:
    for name, stated in schema.get("properties", {}).items():
        variants = list(_variants(stated, known))
        yield {
            "name": above + name,
            "type": " or ".join(dict.fromkeys(_type(variant, known) for variant in variants if not _is_null(variant)))
            or _WORDS["null"],
            "default": stated.get("default"),
            "description": stated.get("description") or _described(variants),
            "secret": any(_is_secret(name, variant) for variant in variants),
            "required": name in schema.get("required", ()),
        }
        for variant in variants:
            yield from _below(variant, known, above + name, entries)


def _below(schema: Mapping[str, Any], known: Mapping[str, Any], name: str, entries: bool) -> Iterator[dict[str, Any]]:
    """The keys inside what `name` may be."""
    yield from _fields(schema, known, f"{name}.", entries=entries)
    for key, mark in (("items", "[]"), ("additionalProperties", ".*")) if entries else ():
        if isinstance(inner := schema.get(key), Mapping):
            for variant in _variants(inner, known):
                yield from _below(variant, known, name + mark, entries)


def _variants(schema: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What a value may be: one schema for each, those inside of others too."""
    schema = _resolved(schema, known)
    inner = schema.get("anyOf", schema.get("oneOf"))
    if inner is None:
        yield schema
        return
    for variant in inner:
        yield from _variants(variant, known)


def _described(variants: list[Mapping[str, Any]]) -> str:
    return next((str(variant["description"]) for variant in variants if variant.get("description")), "")


def _resolved(schema: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema behind a reference."""
    reference = schema.get("$ref") or next((one.get("$ref") for one in schema.get("allOf", ())), None)
    return {**known[reference.rpartition("/")[2]], **schema} if reference else schema


def _is_secret(name: str, schema: Mapping[str, Any]) -> bool:
    return schema.get("format") == "password" or (is_secret(name) and schema.get("type") not in ("boolean", "null"))


def _is_null(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "null"


def _type(schema: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    if "const" in schema or "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array" and schema.get("items"):
        return f"list of {_type(_resolved(schema['items'], known), known)}"
    return _WORDS.get(str(schema.get("type")), _ANY)
