"""Converts every exception to one of our errors, so that every route answers with the right status."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from litestar.exceptions import ClientException as LitestarClientException
from litestar.exceptions import HTTPException, MethodNotAllowedException
from pydantic import BaseModel, ValidationError

from runtime.errors import MethodNotAllowed, NotFound, RequestError, StackError, TooLarge
from runtime.invalid.describing import described, written
from runtime.invalid.vocabulary import JSON, quoted

log = logging.getLogger(__name__)
_READ, _SHOWN = 100, 20
"""How many errors of a request are looked at, and how many places are named."""
_IMPLIED = ("HEAD", "OPTIONS")
"""Methods that need no mention: they are allowed wherever others are."""


def as_stack_error(error: BaseException) -> StackError:
    """Our own error for any exception. An unexpected one is logged, and becomes a 500 without its message."""
    if isinstance(error, StackError):
        return error
    if isinstance(error, MethodNotAllowedException):
        return _not_allowed(error)
    if isinstance(error, HTTPException):
        if error.status_code == 413:
            return TooLarge("The request body is too large")
        if isinstance(error, LitestarClientException):
            return RequestError(error.detail)
    log.error("unexpected error", exc_info=error)
    return StackError("The server failed on this request; its log says why", code="internal_error")


def _not_allowed(error: MethodNotAllowedException) -> MethodNotAllowed:
    """`allow` without `websocket`, which Litestar lists among the methods of a path, in any order."""
    header = next((value for name, value in (error.headers or {}).items() if name.lower() == "allow"), "")
    methods = filter(None, map(str.strip, header.split(",")))
    allowed = sorted(methods, key=lambda method: (method != "websocket", method))
    ways = ["open it as a WebSocket" if one == "websocket" else f"send {one}" for one in allowed if one not in _IMPLIED]
    hint = ", or ".join(ways) or None
    headers = {"allow": ", ".join(method for method in allowed if method != "websocket")}
    return MethodNotAllowed("This path does not answer this method", hint=hint, headers=headers)


def no_such_route(scope: Mapping[str, Any], known: Collection[str] = ()) -> NotFound:
    """The error for a path without a route, which it names, since a program does not show what it asked for. scope:
    of the request or WebSocket. known: the routes' paths, to find a path whose client has a base URL without `/v1`, or
    with two of them.
    """
    path = scope["path"]
    message = f"`{scope.get('method', 'WS')} {quoted(path)}` is no route of this server"
    meant = next((one for one in (f"/v1{path}", path.replace("/v1/v1/", "/v1/", 1)) if one in known), None)
    if meant is not None:
        return NotFound(message, hint=f"did you mean `{meant}`? The client's base URL must end with /v1")
    return NotFound(message, hint="/docs shows all routes, GET /v1/inspect/routes lists them")


def invalid_request(error: ValidationError, model: type[BaseModel], given: Any) -> RequestError:
    """The error for a request that its model refuses: with what is wrong (at most 20 places), the first one as `param`.
    given: the values that were validated.
    """
    errors = error.errors(include_url=False)
    found = described(errors[:_READ], model, given, JSON)
    places = [written(wrong.steps) for wrong in found[:_SHOWN]]
    words = [f"`{place}`: {wrong.words}" if place else wrong.words for place, wrong in zip(places, found, strict=False)]
    if more := max(0, len(found) - _SHOWN) + max(0, len(errors) - _READ):
        words.append(f"and {more} more")
    return RequestError("Invalid request: " + "; ".join(words), param=places[0] or None, code="invalid_value")
