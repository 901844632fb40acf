"""One operation of a document: its parameters, its body, its answers and its words."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.server.fields import URLENCODED
from runtime.server.openapi.answers import responses
from runtime.server.openapi.mounted import Mounted
from runtime.server.openapi.schemas import Schemas, without_null
from runtime.sse import Json

PROVIDER_DATA = "providerData"
"""The security scheme of a caller's own keys for providers."""
_BODIES = {"form": "multipart/form-data", "bytes": "application/octet-stream"}

_ANY_NAME: Json = {"minLength": 1, "pattern": "^[^\\u0000-\\u001f\\u007f\\ufffd]*$"}
"""What every field of a path is, as `binding` checks it: no control characters, and UTF-8."""


def operation(mounted: Mounted, schemas: Schemas) -> Json:
    """The operation object, https://spec.openapis.org/oas/v3.1.1.html#operation-object."""
    made: Json = {
        "operationId": mounted.id,
        "tags": [mounted.api.name],
        "summary": mounted.operation.summary.split(". ")[0].rstrip("."),
        "description": mounted.text,
    }
    if mounted.alias_of:
        made["x-alias-of"] = mounted.alias_of
    if mounted.is_deprecated:
        made["deprecated"] = True
    if parameters := list(_parameters(mounted, schemas)):
        made["parameters"] = parameters
    if body := _body(mounted, schemas):
        made["requestBody"] = body
    if mounted.behind and mounted.behind.asks_others:
        made["security"] = [{}, {PROVIDER_DATA: []}]
    return made | {"responses": responses(mounted, schemas)}


def _parameters(mounted: Mounted, schemas: Schemas) -> Iterator[Json]:
    whole = schemas.at(schemas.of(mounted.operation.request))
    for name in mounted.operation.route.path_fields:
        made = _parameter(name, "path", whole) | {"required": True}
        made["schema"] = _ANY_NAME | made["schema"]
        if name in mounted.slash_fields:
            made["description"] = f"{made.get('description', '')} It may contain slashes.".lstrip()
        yield made
    for name in mounted.operation.query_fields:
        yield _parameter(name, "query", whole)


def _parameter(name: str, place: str, whole: Json) -> Json:
    """A field of a request outside of its body."""
    schema = without_null(whole["properties"][name])
    made: Json = {"name": name, "in": place, "required": name in whole.get("required", ())}
    if words := schema.pop("description", None):
        made["description"] = words
    if place == "query" and (schema.get("type") == "object" or "$ref" in schema):
        made |= {"style": "deepObject", "explode": True}
    return made | {"schema": schema}


def _body(mounted: Mounted, schemas: Schemas) -> Json | None:
    """The body; None if every field is elsewhere."""
    asked, route = mounted.operation, mounted.operation.route
    outside = {*route.path_fields, *asked.query_fields}
    if not route.has_body or outside >= set(asked.request.model_fields):
        return None
    if route.body == "bytes":
        return {"content": {_BODIES["bytes"]: {"schema": {"type": "string", "format": "binary"}}}}
    reference = schemas.body(asked.request, outside=outside, is_form=route.body == "form")
    required = schemas.at(reference).get("required", [])
    kinds = [_BODIES.get(route.body, "application/json")]
    if route.takes_form or (route.body == "form" and not set(required) & set(asked.upload_fields)):
        kinds.append(URLENCODED)
    return {"required": bool(required), "content": {kind: {"schema": reference} for kind in kinds}}
