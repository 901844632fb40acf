"""The `responses` of an operation: what it returns, and its errors, each with its headers."""

from __future__ import annotations

import inspect

from pydantic import BaseModel

from runtime.apis._doors import Door
from runtime.errors import StackError
from runtime.server.doors import OPENAI
from runtime.server.openapi.failures import WHEN, failures, status_of
from runtime.server.openapi.headers import of_answer, of_error
from runtime.server.openapi.mounted import Mounted
from runtime.server.openapi.schemas import Schemas
from runtime.sse import Json

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
        "headers": of_error(error),
        "content": {"application/json": {"schema": schemas.of(door.error) if door.error else _ANY_OBJECT}},
    }


def _file() -> Json:
    content = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    return {
        "200": {"description": "The file.", "headers": of_answer(), "content": content},
        "206": {
            "description": "The part of the file that `range` asks for.",
            "headers": of_answer("content-range"),
            "content": content,
        },
        "304": {"description": "The file still has the `etag` that `if-none-match` names.", "headers": of_answer()},
    }


def _success(mounted: Mounted, schemas: Schemas) -> Json:
    results, content, words = mounted.results, {}, []
    if results.is_json:
        content["application/json"] = {"schema": schemas.of(results.model) if results.model else _ANY_OBJECT}
        words.append(_first_paragraph(results.model) or "The answer.")
    if results.is_stream:
        content["text/event-stream"] = {"schema": schemas.of(results.event) if results.event else _ANY_OBJECT}
        words.append(_of_stream(mounted))
    asks_others = mounted.behind is not None and mounted.behind.asks_others
    headers = of_answer("x-llama-warnings", asks_others=asks_others)
    answer = {"description": " ".join(words) or "Done; there is no body.", "headers": headers}
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
