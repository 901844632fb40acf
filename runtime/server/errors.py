"""Turns whatever was raised into one of our errors, so that every route answers with the right status."""

from __future__ import annotations

import logging
from typing import Any

from litestar.exceptions import ClientException as LitestarClientException
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from runtime.errors import MethodNotAllowed, NotFound, RequestError, StackError, TooLarge
from runtime.stdio import one_line

log = logging.getLogger(__name__)
_SHOWN = 20
_QUOTED_LENGTH = 100


def as_stack_error(error: BaseException) -> StackError:
    """Our own error for any exception. What nobody foresaw is a 500 without its words, and is logged with them."""
    if isinstance(error, StackError):
        return error
    if isinstance(error, MethodNotAllowedException):
        return _not_allowed(error)
    if isinstance(error, NotFoundException):
        return no_such_route()
    if isinstance(error, HTTPException):
        if error.status_code == 413:
            return TooLarge("The request body is too large")
        if isinstance(error, LitestarClientException):
            return RequestError(error.detail)
    log.error("unexpected error", exc_info=error)
    return StackError("The server failed on this request; its log says why", code="internal_error")


def _not_allowed(error: MethodNotAllowedException) -> MethodNotAllowed:
    """Litestar counts `websocket` among the methods of a path; for HTTP it is none."""
    said = next((value for name, value in (error.headers or {}).items() if name.lower() == "allow"), "")
    allowed = [method for one in said.split(",") if (method := one.strip())]
    hint = "it is opened as a WebSocket" if "websocket" in allowed else None
    methods = ", ".join(method for method in allowed if method != "websocket")
    return MethodNotAllowed("This path does not answer this method", hint=hint, headers={"allow": methods})


def no_such_route() -> NotFound:
    """The error for a path that nothing is mounted at."""
    return NotFound("There is no such route", hint="GET /v1/inspect/routes lists them all")


def quoted(text: str) -> str:
    """A caller's words for a message: on one line, and no more than a person reads."""
    return one_line(text if len(text) <= _QUOTED_LENGTH else text[:_QUOTED_LENGTH] + "…") or '""'


def invalid_request(error: ValidationError, given: Any) -> RequestError:
    """A request that does not fit its model: every field that is wrong, the first one as `param`, as far as a person
    reads. given: what was validated.
    """
    wrong = error.errors(include_url=False, include_context=False)
    shown = [(_place(one["loc"], given, is_absent=one["type"] == "missing"), _words(one)) for one in wrong[:_SHOWN]]
    words = list(dict.fromkeys(f"`{place}`: {message}" if place else message for place, message in shown))
    if len(wrong) > _SHOWN:
        words.append(f"and {len(wrong) - _SHOWN} more")
    return RequestError("Invalid request: " + "; ".join(words), param=shown[0][0] or None, code="invalid_value")


def _words(error: ErrorDetails) -> str:
    """With the beginning of a text that is too long, by which its sender knows which one it is."""
    if error["type"] == "string_too_long":
        return f"{error['msg']}; it begins with `{quoted(error['input'])}`"
    return error["msg"]


def _place(loc: tuple[int | str, ...], given: Any, *, is_absent: bool) -> str:
    """`messages[0].role` for ("messages", 0, "role"). The names of union members, which only pydantic knows, are left
    out: they are not in what was given. is_absent: the last name is missing there, and is one all the same.
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
