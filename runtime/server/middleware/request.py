"""Around every request: its id and context, one access line, and errors in OpenAI's shape.

Plain ASGI. Outermost of ours, so that whatever is raised further in, by a handler or by the router, ends here.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from runtime.context import RequestContext, serving
from runtime.ids import new_id
from runtime.server.answer import ErrorAnswer
from runtime.server.errors import as_stack_error
from runtime.sse import decode
from runtime.stack.instance import Instance

access = logging.getLogger("runtime.access")
log = logging.getLogger(__name__)
_PROVIDER_DATA = (b"x-llamastack-provider-data", b"x-ogx-provider-data")
_ID_LENGTH = 128


class RequestMiddleware:
    """instance: tells the header by which a stack knows itself in an upstream's answer."""

    def __init__(self, app: ASGIApp, instance: Instance) -> None:
        self._app = app
        self._instance = instance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        context = _context(scope["headers"])
        started = time.perf_counter()
        status = 499  # until an answer starts: the client has left
        answered = False
        is_head = scope["method"] == "HEAD"
        name, value = b"x-request-id", context.request_id.encode("latin-1")

        async def sending(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                message["headers"] = [*message["headers"], (name, value), self._instance.header]
            elif is_head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        with serving(context):
            try:
                await self._app(scope, receive, sending)
            except Exception as error:
                if answered:
                    raise
                await ErrorAnswer(as_stack_error(error)).serve(scope, receive, sending)
            finally:
                access.info(
                    "%s %s",
                    scope["method"],
                    scope["path"],
                    extra={
                        "request_id": context.request_id,
                        "status": status,
                        "duration_ms": round((time.perf_counter() - started) * 1000, 1),
                    },
                )


def _context(headers: Any) -> RequestContext:
    """The caller's own request id where it brings a printable one, and the keys it brings for providers."""
    request_id, provider_data = "", {}
    for name, value in headers:
        if name == b"x-request-id" and len(value) <= _ID_LENGTH and value.isascii() and value.decode().isprintable():
            request_id = value.decode()
        elif name in _PROVIDER_DATA:
            try:
                provider_data = decode(value)
            except (ValueError, TypeError):
                log.warning("provider data is no JSON object and was ignored")
    return RequestContext(request_id=request_id or new_id("req_"), provider_data=provider_data)
