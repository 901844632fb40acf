"""The OpenAPI document of everything that a plan mounts. OpenAPI has no WebSockets: `x-websockets` lists them."""

from __future__ import annotations

import runtime
from runtime.apis._api import Api
from runtime.server.doors import OPENAI, Doors
from runtime.server.openapi.answers import failure
from runtime.server.openapi.failures import failures
from runtime.server.openapi.headers import HEADERS
from runtime.server.openapi.mounted import Mounted, mounted
from runtime.server.openapi.operations import PROVIDER_DATA, operation
from runtime.server.openapi.schemas import Schemas
from runtime.sse import Json
from runtime.stack.plan import Plan

_ABOUT = """One API for everything an AI application needs, any provider behind it.
This document has what this server has mounted.

- A request may have a `x-request-id`; every answer has one.
- A model is named `provider_id/provider_model_id`, or by an alias.
- `GET`, `DELETE`: a list in the query is a repeated name. `HEAD` is answered wherever `GET` is.
- A provider's rate-limit headers are passed on as it names them.
- A body may be compressed (`content-encoding: gzip` or `deflate`) if it has no files."""

_PROVIDER_DATA: Json = {
    "type": "apiKey",
    "in": "header",
    "name": "X-LlamaStack-Provider-Data",
    "description": 'Your own keys for providers, a JSON object such as `{"groq_api_key": "..."}`. They are used for'
    " this request only, and take the place of the configured ones.",
}


_OTHERS = ("WS", "ANY")
"""Methods of routes that OpenAPI cannot describe: WebSockets, and protocols that a library answers."""


def document(plan: Plan, doors: Doors) -> Json:
    """The document, https://spec.openapis.org/oas/v3.1.1.html. doors: the shape of errors on each path."""
    everything = list(mounted(plan, doors))
    schemas = Schemas([model for one in everything for model in one.models])
    paths: dict[str, Json] = {}
    for one in everything:
        if one.method not in _OTHERS:
            paths.setdefault(one.template, {})[one.method.lower()] = operation(one, schemas)
    made: Json = {
        "openapi": "3.1.1",
        "info": {"title": "Llama Stack", "version": runtime.__version__, "description": _ABOUT},
        "servers": [{"url": "./", "description": "This server"}],
        "tags": list(map(_tag, plan.apis.values())),
        "paths": dict(sorted(paths.items())),
    }
    if sockets := [_socket(one, schemas) for one in everything if one.method == "WS"]:
        made["x-websockets"] = sockets
    components: Json = {
        "headers": dict(HEADERS),
        "responses": _responses(everything, schemas),
        "securitySchemes": {PROVIDER_DATA: _PROVIDER_DATA},
    }
    return made | {"components": {"schemas": schemas.used({**made, **components}), **components}}


def _tag(api: Api) -> Json:
    return {"name": api.name, "description": api.about}


def _responses(everything: list[Mounted], schemas: Schemas) -> Json:
    """The errors in OpenAI's shape that operations refer to."""
    ours = [one for one in everything if one.method not in _OTHERS and one.door is OPENAI]
    found = {error for one in ours for error in failures(one)}
    ordered = sorted(found, key=lambda error: (error.status, error.__name__))
    return {error.__name__: failure(error, OPENAI, schemas) for error in ordered}


def _socket(one: Mounted, schemas: Schemas) -> Json:
    """A WebSocket: each message of the client is a `request`, each of the server an `event`."""
    event = one.results.event
    return {
        "path": one.path,
        "operationId": one.id,
        "tags": [one.api.name],
        "summary": one.operation.summary,
        "deprecated": one.is_deprecated,
        "request": schemas.of(one.operation.request),
        **({"event": schemas.of(event)} if event else {}),
    }
