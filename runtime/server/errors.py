"""Turns whatever was raised into one of our errors, so that every route answers in OpenAI's shape with the right
status.
"""

from __future__ import annotations

import logging

from litestar.exceptions import ClientException as LitestarClientException
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from pydantic import ValidationError

from runtime.errors import MethodNotAllowed, NotFound, RequestError, StackError, TooLarge

log = logging.getLogger(__name__)


def as_stack_error(error: Exception) -> StackError:
    """Our own error for any exception. What nobody foresaw is a 500 without its words, and is logged with them."""
    if isinstance(error, StackError):
        return error
    if isinstance(error, MethodNotAllowedException):
        return MethodNotAllowed("This path does not answer this method", headers=error.headers or {})
    if isinstance(error, NotFoundException):
        return NotFound("There is no such route", hint="GET /v1/inspect/routes lists them all")
    if isinstance(error, HTTPException):
        if error.status_code == 413:
            return TooLarge("The request body is too large")
        if isinstance(error, LitestarClientException):
            return RequestError(error.detail)
    log.error("unexpected error", exc_info=error)
    return StackError("The server failed on this request; its log says why", code="internal_error")


def invalid_request(error: ValidationError) -> RequestError:
    """A request that does not fit its model: every field that is wrong, the first one as `param`."""
    wrong = error.errors(include_url=False, include_input=False, include_context=False)
    told = [f"`{place}`: {item['msg']}" if (place := _place(item["loc"])) else item["msg"] for item in wrong]
    return RequestError(
        "Invalid request: " + "; ".join(dict.fromkeys(told)),
        param=_place(wrong[0]["loc"]) or None,
        code="invalid_json" if wrong[0]["type"] == "json_invalid" else "invalid_value",
    )


def _place(loc: tuple[int | str, ...]) -> str:
    """`messages[0].role` for ("messages", 0, "role"); the names of union members, which only pydantic knows, are
    left out.
    """
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.isidentifier() and part not in ("str", "int", "float", "bool", "list", "dict"):
            text += f".{part}" if text else part
    return text
