"""What the local vendor has whatever it is asked: errors, the start of a stream, the habits that vendors differ in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

CHAT_MODEL = "small-chat"
EMBEDDING_MODEL = "small-embed"
RERANK_MODEL = "small-rerank"
CREATED = 1_700_000_000


class Refused(Exception):
    """The request is answered with an error. status: HTTP's; param: the wrong field; code: the vendor's word."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        param: str | None = None,
        code: str | int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code
        self.headers = headers


def openai_error(refused: Refused) -> Any:
    """https://platform.openai.com/docs/guides/error-codes"""
    facts = {"message": refused.message, "type": refused.type, "param": refused.param, "code": refused.code}
    return {"error": facts}


def refusal(status: int, message: str, **facts: Any) -> web.Response:
    """An error in OpenAI's shape. facts: as in `Refused`."""
    refused = Refused(status, message, **facts)
    return web.json_response(openai_error(refused), status=status, headers=refused.headers)


async def started_stream(request: web.Request, headers: Mapping[str, str] | None = None) -> web.StreamResponse:
    answer = web.StreamResponse(headers={**(headers or {}), "content-type": "text/event-stream"})
    await answer.prepare(request)
    return answer


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How a vendor differs from OpenAI; the defaults are OpenAI's.

    root: the path before `/chat/completions`. key_header, key_prefix: where the key is. refused_fields: fields that it
    answers `refused_status` to, at any endpoint. reasoning_field: what a message calls its reasoning; None: none.
    usage: in a stream `asked` (one chunk, where `stream_options.include_usage` asks), `always` (one chunk), `running`
    (in each chunk, so far) or `never`, which leaves it out of whole answers too. listing: of `/models`, OpenAI's object
    or the bare array. models_path: the whole path of the list, where it is not `/models` below the root. check: what
    else it refuses, of a path below the root and a body. unread_fields: what it passes over without a word. headers: of
    every answer, such as rate limits. error: the body of an error.
    """

    root: str = "/v1"
    key_header: str = "authorization"
    key_prefix: str = "Bearer "
    refused_fields: frozenset[str] = field(default=frozenset())
    refused_status: int = 400
    reasoning_field: str | None = "reasoning_content"
    usage: Literal["asked", "always", "running", "never"] = "asked"
    listing: Literal["openai", "array"] = "openai"
    models_path: str | None = None
    check: Callable[[str, dict[str, Any]], None] | None = None
    unread_fields: frozenset[str] = field(default=frozenset())
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Callable[[Refused], Any] = openai_error


OPENAI = Habits()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer in both forms. whole: the JSON of a response, usage included. events: those of a stream, without their
    usage. head: what each event has in common; empty where nothing is streamed.
    """

    whole: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    head: Mapping[str, Any] = field(default_factory=dict)
