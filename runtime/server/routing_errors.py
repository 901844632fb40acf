"""Converts what Litestar raises, for a path or a method that it does not know, to our own errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response
from litestar.exceptions import ClientException, HTTPException, MethodNotAllowedException, NotFoundException

from runtime.errors import MethodNotAllowed, RequestError, StackError, TooLarge
from runtime.invalid.vocabulary import quoted
from runtime.server.asgi import Receive, Scope, Send
from runtime.server.doors import DoorErrors
from runtime.server.errors import KnownPaths, as_stack_error, no_such_route
from runtime.server.plain_answers import send_error

_IMPLIED = ("HEAD", "OPTIONS")
"""Methods that need no mention: they are allowed wherever others are."""


class ErrorAnswer(Response[None]):
    """An error in its door's shape, with its status, as Litestar takes it."""

    def __init__(self, error: StackError, errors: DoorErrors) -> None:
        super().__init__(content=None)
        self._error = error
        self._errors = errors

    def to_asgi_response(self, *args: Any, **kwargs: Any) -> Any:
        return self.serve

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_error(send, self._error, self._errors)


def our_error(error: Exception, scope: Mapping[str, Any], known: KnownPaths) -> StackError:
    """Our own error for whatever was raised below Litestar. scope: of the request."""
    if isinstance(error, MethodNotAllowedException):
        return _not_allowed(error, scope)
    if isinstance(error, NotFoundException):
        return no_such_route(scope, known)
    if isinstance(error, HTTPException) and error.status_code == 413:
        return TooLarge("The request body is too large")
    if isinstance(error, ClientException):
        return RequestError(error.detail)
    return as_stack_error(error)


def _not_allowed(error: MethodNotAllowedException, scope: Mapping[str, Any]) -> MethodNotAllowed:
    """The error for a method that a path does not answer. `allow` is without `websocket`, which Litestar lists among
    the methods, in any order.
    """
    header = next((value for name, value in (error.headers or {}).items() if name.lower() == "allow"), "")
    methods = filter(None, map(str.strip, header.split(",")))
    allowed = sorted(methods, key=lambda method: (method != "websocket", method))
    ways = ["open it as a WebSocket" if one == "websocket" else f"send {one}" for one in allowed if one not in _IMPLIED]
    hint = ", or ".join(ways) or None
    headers = {"allow": ", ".join(method for method in allowed if method != "websocket")}
    return MethodNotAllowed(
        f"`{quoted(scope['path'])}` does not answer {quoted(scope['method'])}", hint=hint, headers=headers
    )
