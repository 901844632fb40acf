"""Converts every exception to one of our errors, so that every route answers with the right status."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from litestar.exceptions import ClientException as LitestarClientException
from litestar.exceptions import HTTPException, MethodNotAllowedException
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from runtime.errors import MethodNotAllowed, NotFound, RequestError, StackError, TooLarge
from runtime.stdio import one_line

log = logging.getLogger(__name__)
_SHOWN = 20
_QUOTED_LENGTH = 100
_IMPLIED = ("HEAD", "OPTIONS")
"""Methods that need no mention: they are allowed wherever others are."""
_OF_ANOTHER_TYPE = ("_type", "literal_error")
_OF_NO_SHAPE = ("union_tag_invalid", "union_tag_not_found")


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


def quoted(text: str) -> str:
    """A caller's text for a message: on one line, and not too long."""
    return one_line(text if len(text) <= _QUOTED_LENGTH else text[:_QUOTED_LENGTH] + "…") or '""'


def invalid_request(error: ValidationError, given: Any) -> RequestError:
    """The error for a request that its model refuses: with the wrong fields (at most 20), the first one as `param`.
    given: the values that were validated.
    """
    wrong = error.errors(include_url=False)
    shown: dict[str, list[ErrorDetails]] = {}
    for one in wrong[:_SHOWN]:
        shown.setdefault(_where(one, given), []).append(one)
    places = [place for place in shown if not any(_is_inside(other, place) for other in shown)]
    words = [f"`{place}`: {_either(shown[place])}" if place else _either(shown[place]) for place in places]
    if len(wrong) > _SHOWN:
        words.append(f"and {len(wrong) - _SHOWN} more")
    return RequestError("Invalid request: " + "; ".join(words), param=places[0] or None, code="invalid_value")


def _is_inside(place: str, outer: str) -> bool:
    """Whether a place lies inside another one. Then that one has the right type, and only another alternative for it
    has not.
    """
    return bool(outer) and place.startswith((f"{outer}.", f"{outer}["))


def _either(errors: list[ErrorDetails]) -> str:
    """What is wrong at one place: of several alternatives, those that the value comes close to, or else all of them."""
    close = [one for one in errors if not one["type"].endswith(_OF_ANOTHER_TYPE)]
    first, *more = dict.fromkeys(map(_words, close or errors))
    return " or ".join([first, *(one.removeprefix("Input should be ") for one in more)])


def _where(error: ErrorDetails, given: Any) -> str:
    """The field that is wrong. Of several shapes it is the field that tells them apart; of a value that is itself a
    document, the place inside it.
    """
    place = _place(error["loc"], given, is_absent=error["type"] == "missing")
    context = error.get("ctx", {})
    if error["type"] in _OF_NO_SHAPE:
        place += "." + context["discriminator"].strip("'")
    elif inside := context.get("inside"):
        place += f".{quoted(inside)}" if place else quoted(inside)
    return place


def _words(error: ErrorDetails) -> str:
    """The message; for a text that is too long with its beginning, so that the caller recognizes it."""
    if error["type"] == "union_tag_invalid":
        return f"Input should be one of {error['ctx']['expected_tags']}"
    if error["type"] == "union_tag_not_found":
        return "Field required"
    if error["type"] == "string_too_long":
        return f"{error['msg']}; it begins with `{quoted(error['input'])}`"
    return error["msg"]


def _place(loc: tuple[int | str, ...], given: Any, *, is_absent: bool) -> str:
    """`messages[0].role` for ("messages", 0, "role"). Names that are not in `given` are left out: they are pydantic's
    own names of union members. is_absent: the last name is kept although it is not in `given`.
    """
    text = ""
    for number, part in enumerate(loc, 1):
        if isinstance(part, int):
            text += f"[{part}]"
            given = given[part] if isinstance(given, list) and part < len(given) else None
        elif isinstance(given, dict) and part in given:
            text += f".{quoted(part)}" if text else quoted(part)
            given = given[part]
        elif is_absent and number == len(loc):
            text += f".{part}" if text else part
    return text
