"""What is wrong with bytes that are no request, as one of our errors, and the answer to them."""

from __future__ import annotations

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from runtime.errors import HeadTooLarge, RequestError, StackError
from runtime.server.doors import DoorErrors

HEAD_BYTES = 64 * 1024
"""The most bytes of a request's line and headers; a read that also contains other data may have more."""


def what_is_wrong(error: httptools.HttpParserError | StackError) -> StackError:
    """The parser wraps the errors of our own callbacks."""
    if isinstance(error, StackError):
        return error
    if isinstance(error.__context__, StackError):
        return error.__context__
    if isinstance(error, httptools.HttpParserCallbackError):
        return no_path()
    return RequestError(f"This is not HTTP/1.1: {error}")


def no_path() -> RequestError:
    return RequestError("The request's target is not a path of this server")


def head_too_large() -> HeadTooLarge:
    return HeadTooLarge(f"The request's line and headers are larger than {HEAD_BYTES} bytes")


def framing_too_large() -> HeadTooLarge:
    return HeadTooLarge(f"More than {HEAD_BYTES} bytes came between two parts of the request's body, or behind it")


def refusal(error: StackError, request_id: str) -> bytes:
    """The whole answer to a request that no application has seen, which is the last one of its connection."""
    body = DoorErrors().json(error, request_id=request_id)
    headers = {
        **error.headers,
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-request-id": request_id,
        "connection": "close",
    }
    head = b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
    return STATUS_LINE[error.status] + head + b"\r\n" + body
