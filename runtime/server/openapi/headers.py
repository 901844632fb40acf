"""The headers of answers: which there are, and which an answer may have."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from runtime.errors import RateLimited, StackError, Unavailable, UpstreamError, UpstreamRejected, UpstreamTimeout
from runtime.http.limits import REQUEST_ID
from runtime.http.retries import COUNT
from runtime.sse import Json


def _header(words: str, *, required: bool = False, **schema: Any) -> Json:
    return {"description": words, "required": required, "schema": {"type": "string", **schema}}


HEADERS: Mapping[str, Json] = MappingProxyType(
    {
        "x-request-id": _header(
            "The request's id in the server's log: the caller's own, if it sent a valid one.", required=True
        ),
        "x-trace-id": _header("The trace that the request belongs to. Not sent if it is not traced."),
        "x-llama-overhead-ms": _header(
            "This server's own part of the time up to the first byte, in milliseconds.", type="number", minimum=0
        ),
        "server-timing": _header(
            "The same as `overhead`, and as `upstream` what a provider took, both in milliseconds."
        ),
        "x-llama-warnings": _header(
            "What was not done as asked, separated by `; `. Not sent if there is nothing to say."
        ),
        REQUEST_ID: _header("The provider's own id of the request, which its support asks for."),
        COUNT: _header("How often the request was sent to the provider again. Not sent if once was enough."),
        "retry-after": _header("When to send the request again: seconds, or a date. Not sent if that is not known."),
        "x-should-retry": _header("Whether OpenAI's clients are to send the request again.", enum=["true", "false"]),
        "content-range": _header("The range that was sent, `bytes first-last/size`."),
    }
)
_ALWAYS = ("x-request-id", "x-trace-id", "x-llama-overhead-ms", "server-timing")
_UPSTREAM = (REQUEST_ID, COUNT)
_OF_ERRORS: Mapping[type[StackError], tuple[str, ...]] = MappingProxyType(
    {
        RateLimited: ("retry-after",),
        Unavailable: ("retry-after",),
        UpstreamRejected: ("retry-after", *_UPSTREAM),
        UpstreamError: ("retry-after", *_UPSTREAM),
        UpstreamTimeout: _UPSTREAM,
    }
)


def of_answer(*names: str, asks_others: bool = False) -> Json:
    """References to the headers of an answer that is no error. asks_others: a provider may have asked others."""
    return _references(names + (_UPSTREAM if asks_others else ()))


def of_error(error: type[StackError]) -> Json:
    """References to the headers of an error."""
    return _references(("x-should-retry", *_OF_ERRORS.get(error, ())))


def _references(names: tuple[str, ...]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*_ALWAYS, *names)}
