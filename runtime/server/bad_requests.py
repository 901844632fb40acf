"""What is wrong with bytes that are no request, as one of our errors."""

from __future__ import annotations

import httptools

from runtime.errors import HeadTooLarge, RequestError, StackError

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
