"""Around every request: its id and context, one access line, and errors in OpenAI's shape.

WebSockets, which no API has, are refused.

Plain ASGI. Outermost of ours, so that whatever is raised further in, by a handler or by the router, ends here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from runtime.context import RequestContext, serving
from runtime.errors import RequestError
from runtime.ids import new_id
from runtime.server.answer import ErrorAnswer
from runtime.server.errors import as_stack_error
from runtime.sse import decode
from runtime.stack.instance import Instance

access = logging.getLogger("runtime.access")
_PROVIDER_DATA = {
    b"x-llamastack-provider-data": "X-LlamaStack-Provider-Data",
    b"x-ogx-provider-data": "X-OGX-Provider-Data",
}
_ID_LENGTH = 128
_POLICY_VIOLATION = 1008


class RequestMiddleware:
    """instance: tells the header by which a stack knows itself in an upstream's answer."""

    def __init__(self, app: ASGIApp, instance: Instance) -> None:
        self._app = app
        self._instance = instance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: str = scope["type"]
        if scope["type"] == ScopeType.HTTP:
            await self._serve(scope, receive, send)
        elif kind == ScopeType.WEBSOCKET:
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "no WebSockets here"})
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        context, wrong = _context(scope["headers"])
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
                if wrong is not None:
                    raise wrong
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


def _context(headers: Iterable[tuple[bytes, bytes]]) -> tuple[RequestContext, RequestError | None]:
    """The caller's own request id where it brings a printable one, and the keys it brings for providers; what is wrong
    with them is for the answer, which needs the context.
    """
    sent = dict(headers)
    given = sent.get(b"x-request-id", b"")
    is_fine = given and len(given) <= _ID_LENGTH and given.isascii() and given.decode().isprintable()
    request_id = given.decode() if is_fine else new_id("req_")
    if _PROVIDER_DATA.keys().isdisjoint(sent):
        return RequestContext(request_id=request_id), None
    try:
        return RequestContext(request_id=request_id, provider_data=_provider_data(headers)), None
    except RequestError as error:
        return RequestContext(request_id=request_id), error


def _provider_data(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, Any]:
    """What a caller brings for providers. Raises RequestError, without its words: a key that nobody took would leave
    the caller with a vendor's refusal of another one.
    """
    brought = [(_PROVIDER_DATA[name], value) for name, value in headers if name in _PROVIDER_DATA]
    name, value = brought[-1]
    if len(brought) > 1:
        raise RequestError(f"the {name} header came more than once", param=name)
    try:
        return decode(value)
    except (ValueError, TypeError):
        raise RequestError(
            f"the {name} header is no JSON object", hint='send one such as {"groq_api_key": "..."}', param=name
        ) from None
