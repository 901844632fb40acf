"""The `responses` of an operation: what it returns, and its errors, each with its headers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType

from pydantic import BaseModel

from runtime.apis._doors import Door
from runtime.errors import RateLimited, StackError, Unavailable, UpstreamError, UpstreamRejected, UpstreamTimeout
from runtime.server.doors import OPENAI
from runtime.server.openapi.failures import WHEN, failures, status_of
from runtime.server.openapi.mounted import Mounted
from runtime.server.openapi.schemas import Schemas
from runtime.sse import Json

_UPSTREAM_ID = "x-llama-upstream-request-id"
HEADERS: Mapping[str, Json] = MappingProxyType(
    {
        "x-request-id": {
            "description": "The request's id in the server's log: the caller's own, if it sent a valid one.",
            "required": True,
            "schema": {"type": "string"},
        },
        "x-llama-overhead-ms": {
            "description": "This server's own part of the time up to the first byte, in milliseconds.",
            "schema": {"type": "number", "minimum": 0},
        },
        "server-timing": {
            "description": "The same as `overhead`, and as `upstream` what a provider took, both in milliseconds.",
            "schema": {"type": "string"},
        },
        "x-llama-warnings": {
            "description": "What was not done as asked, separated by `; `. Not sent if there is nothing to say.",
            "schema": {"type": "string"},
        },
        _UPSTREAM_ID: {
            "description": "The provider's own id of the request, which its support asks for.",
            "schema": {"type": "string"},
        },
        "retry-after": {
            "description": "When to send the request again: seconds, or a date. Not sent if that is not known.",
            "schema": {"type": "string"},
        },
        "content-range": {
            "description": "The range that was sent, `bytes first-last/size`.",
            "schema": {"type": "string"},
        },
    }
)
_ERROR_HEADERS: Mapping[type[StackError], tuple[str, ...]] = MappingProxyType(
    {
        RateLimited: ("retry-after",),
        Unavailable: ("retry-after",),
        UpstreamRejected: ("retry-after", _UPSTREAM_ID),
        UpstreamError: ("retry-after", _UPSTREAM_ID),
        UpstreamTimeout: (_UPSTREAM_ID,),
    }
)
_ALWAYS = ("x-request-id", "x-llama-overhead-ms", "server-timing")
_ANY_OBJECT: Json = {"type": "object"}


def responses(mounted: Mounted, schemas: Schemas) -> Json:
    """The answers of an operation, by status."""
    made = dict(_file() if mounted.results.is_file else _success(mounted, schemas))
    for error in failures(mounted):
        is_shared = mounted.door is OPENAI
        reference = {"$ref": f"#/components/responses/{error.__name__}"}
        made[status_of(error)] = reference if is_shared else failure(error, mounted.door, schemas)
    return made


def failure(error: type[StackError], door: Door, schemas: Schemas) -> Json:
    """The answer of an error in the shape of a door."""
    return {
        "description": WHEN[error],
        "headers": _headers(*_ERROR_HEADERS.get(error, ())),
        "content": {"application/json": {"schema": schemas.of(door.error) if door.error else _ANY_OBJECT}},
    }


def _file() -> Json:
    content = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    return {
        "200": {"description": "The file.", "headers": _headers(), "content": content},
        "206": {
            "description": "The part of the file that `range` asks for.",
            "headers": _headers("content-range"),
            "content": content,
        },
        "304": {"description": "The file still has the `etag` that `if-none-match` names.", "headers": _headers()},
    }


def _success(mounted: Mounted, schemas: Schemas) -> Json:
    results, content, words = mounted.results, {}, []
    if results.is_json:
        content["application/json"] = {"schema": schemas.of(results.model) if results.model else _ANY_OBJECT}
        words.append(_first_paragraph(results.model) or "The answer.")
    if results.is_stream:
        content["text/event-stream"] = {"schema": schemas.of(results.event) if results.event else _ANY_OBJECT}
        words.append(_of_stream(mounted))
    upstream = mounted.behind is not None and mounted.behind.asks_others
    names = ["x-llama-warnings", *([_UPSTREAM_ID] if upstream else [])]
    answer = {"description": " ".join(words) or "Done; there is no body.", "headers": _headers(*names)}
    return {str(mounted.operation.route.status): answer | ({"content": content} if content else {})}


def _first_paragraph(model: type[BaseModel] | None) -> str:
    return " ".join((inspect.getdoc(model) or "").split("\n\n")[0].split()) if model else ""


def _of_stream(mounted: Mounted) -> str:
    """How to read a stream: its schema is that of each event."""
    event = mounted.results.event
    begin = "With `stream: true`, server-sent events" if mounted.results.is_json else "Server-sent events"
    named = ", named by its `type`" if event and "type" in event.model_fields else ""
    end = " A complete stream ends with `data: [DONE]`." if mounted.operation.route.ends_with_done else ""
    failed = f"an event `{mounted.door.event}`" if mounted.door.event else "an event"
    return (
        f"{begin}: the `data` of each event{named} is one JSON object of this schema.{end} If it fails after its first"
        f" event, {failed} with an error as its `data` is the last."
    )


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*_ALWAYS, *names)}
