"""For every request and every WebSocket: its id and context, one access line, and errors in its door's shape.

Plain ASGI. Our outermost middleware, so that all exceptions of handlers and of the router are handled here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from runtime.access import Caller
from runtime.clock import machine_time
from runtime.context import RequestContext, serving
from runtime.errors import RequestError, StackError, Unavailable
from runtime.faults.parsing import HEADER as INJECT
from runtime.http.retries import COUNT
from runtime.ids import new_id
from runtime.server.access import NAME, AccessLine
from runtime.server.asgi import HTTP, WEBSOCKET, App, Message, Receive, Scope, Send
from runtime.server.doors import Doors
from runtime.server.errors import as_stack_error, no_such_route
from runtime.server.ongoing import Ongoing
from runtime.server.plain_answers import send_error
from runtime.server.probes import is_probe
from runtime.sse import decode
from runtime.stack.instance import Instance
from runtime.telemetry.changes import note_warnings
from runtime.telemetry.requests import begin_request, end_request, is_about_telemetry
from runtime.telemetry.spans import SpanProcessor, reset_current, set_current
from runtime.telemetry.trace_context import TRACEPARENT_BYTES, caller_of

if TYPE_CHECKING:
    from runtime.faults.injection import Faults

log = logging.getLogger(__name__)
access = logging.getLogger(NAME)
_PROVIDER_DATA = {
    b"x-llamastack-provider-data": "X-LlamaStack-Provider-Data",
    b"x-ogx-provider-data": "X-OGX-Provider-Data",
}
_INJECT = INJECT.lower().encode()
_NO_FAULTS = f"{INJECT} has no effect: the server was not started with `--inject`"
_STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")
_ID_LENGTH = 128
_HTTP_STATUSES = 4000
"""Litestar closes WebSockets with an HTTP status plus this number."""
_POLICY_VIOLATION = 1008


class RequestMiddleware:
    """ongoing: what the application serves at each moment. instance: gives the header by which a stack finds itself in
    an upstream's answer. user: who asks. faults: reads what a request wants to go wrong; None where that is not done.
    processor: is told the spans of a request; asked for each, None where nobody is.
    """

    def __init__(
        self,
        app: App,
        ongoing: Ongoing,
        instance: Instance,
        doors: Doors,
        user: Caller,
        faults: Faults | None = None,
        processor: Callable[[], SpanProcessor | None] = lambda: None,
    ) -> None:
        self.ongoing = ongoing
        self._app = app
        self._instance = instance
        self._doors = doors
        self._user = user
        self._faults = faults
        self._processor = processor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: str = scope["type"]
        if scope["type"] == HTTP:
            await self._serve(scope, receive, send, method=scope["method"])
        elif kind == WEBSOCKET:
            await self._serve(scope, receive, send, method="WS")
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, *, method: str) -> None:
        context, wrong = _context(scope["headers"], self._user, self._faults)
        timing = context.timing
        started = timing.arrived
        status = 499  # the status if no answer starts, because the client has left
        answered = False
        is_head = method == "HEAD"
        processor, is_noise = self._processor(), is_probe(scope, context.request_headers)
        span = None
        if processor is not None and not is_noise and not is_about_telemetry(scope["path"]):
            span = begin_request(processor, context.request_id, context.user, context.trace)
        ids = [(b"x-request-id", context.request_id.encode("latin-1"))]
        if span is not None:
            ids.append((b"x-trace-id", span.trace.id.encode()))

        async def sending(message: Message) -> None:
            nonlocal status, answered
            kind = message["type"]
            if kind == "websocket.close" and not answered and message["code"] >= _HTTP_STATUSES:
                # Litestar closes a WebSocket without a handler; we answer with an error instead.
                raise no_such_route(scope)
            if kind == "http.response.body":
                if is_head:
                    message["body"] = b""
            elif kind in _STARTS:
                status, answered = message.get("status", 101), True
                overhead_ms, waited_ms = timing.first_byte()
                message["headers"] = [
                    *message["headers"],
                    *ids,
                    (b"x-llama-overhead-ms", b"%.1f" % overhead_ms),
                    (b"server-timing", b"overhead;dur=%.1f, upstream;dur=%.1f" % (overhead_ms, waited_ms)),
                    self._instance.header,
                ]
            await send(message)

        with serving(context):
            token = set_current(span)
            try:
                if wrong is not None:
                    raise wrong
                await self._app(scope, receive, sending)
            except asyncio.CancelledError:
                if not answered:  # the server stops, and waits no longer for the rest of the request
                    stopping = Unavailable("the server is stopping", code="server_stopping")
                    await self._refuse(stopping, scope, receive, sending)
                raise
            except Exception as error:
                if answered:
                    why = type(error.__cause__ or error).__name__
                    log.error("an answer was cut off", extra={"error": why})  # the server logs the exception, but no id
                    raise
                await self._refuse(as_stack_error(error), scope, receive, sending)
            finally:
                reset_current(token)
                overhead_ms = timing.first_byte()[0] if timing.overhead_ms is None else timing.overhead_ms
                if span is not None:
                    if context.warnings:
                        note_warnings(span, map(self._doors.of(scope["path"]).readable, context.warnings))
                    scheme, route = scope.get("scheme", "http"), scope.get("route")
                    waited_s = timing.waited_s
                    end_request(span, method, scope["path"], scheme, route, status, overhead_ms, waited_s)
                level = logging.DEBUG if is_noise else logging.INFO
                if access.isEnabledFor(level):
                    access.handle(
                        AccessLine(
                            method=method,
                            path=scope["path"],
                            request_id=context.request_id,
                            trace_id=span.trace.id if span is not None else None,
                            span_id=span.id if span is not None else None,
                            status=status,
                            created=machine_time(),
                            duration_ms=round((time.perf_counter() - started) * 1000, 1),
                            overhead_ms=round(overhead_ms, 1),
                            retries=int(context.headers.get(COUNT, 0)),
                            level=level,
                        )
                    )

    async def _refuse(self, error: StackError, scope: Scope, receive: Receive, send: Send) -> None:
        sending = send if scope["type"] == HTTP else _before_accepting(scope, send)
        await send_error(sending, error, self._doors.of(scope["path"]))


def _before_accepting(scope: Scope, send: Send) -> Send:
    """Sends an HTTP answer to a WebSocket that is not accepted; a server without that extension answers 403."""
    can_answer = "websocket.http.response" in (scope.get("extensions") or {})

    async def sending(message: Message) -> None:
        if can_answer:
            answer: Any = {**message, "type": f"websocket.{message['type']}"}  # ASGI's extension of that name
            await send(answer)
        elif message["type"] == "http.response.start":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": ""})

    return sending


def _context(
    headers: Iterable[tuple[bytes, bytes]], user: Caller, server_faults: Faults | None
) -> tuple[RequestContext, RequestError | None]:
    """The context of a request, with the caller's own request id if it is valid, its keys for providers, and what it
    wants to go wrong. The error is returned, not raised, since the answer needs the context.
    """
    sent = dict(headers)
    given = sent.get(b"x-request-id", b"")
    is_fine = given and len(given) <= _ID_LENGTH and given.isascii() and given.decode().isprintable()
    request_id = given.decode() if is_fine else new_id("req_")
    trace = caller_of(headers) if TRACEPARENT_BYTES in sent else None
    data, wrong = {}, None
    if not _PROVIDER_DATA.keys().isdisjoint(sent):
        try:
            data = _provider_data(headers)
        except RequestError as error:
            wrong = error
    faults = None
    if _INJECT in sent and server_faults is not None:
        try:
            said = [value.decode(errors="replace") for name, value in headers if name == _INJECT]
            faults = server_faults.of_request(said)
        except RequestError as error:
            wrong = wrong or error
    context = RequestContext(
        request_id=request_id, user=user, provider_data=data, request_headers=sent, trace=trace, faults=faults
    )
    if _INJECT in sent and server_faults is None:
        context.warnings.append(_NO_FAULTS)
    return context, wrong


def _provider_data(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, Any]:
    """A caller's keys and settings for providers. Raises RequestError, which does not quote them: if an invalid header
    were ignored, a vendor would refuse another key and confuse the caller.
    """
    given = [(_PROVIDER_DATA[name], value) for name, value in headers if name in _PROVIDER_DATA]
    name, value = given[-1]
    if len(given) > 1:
        raise RequestError(f"the {name} header was sent more than once", param=name)
    try:
        return decode(value)
    except (ValueError, TypeError):
        raise RequestError(
            f"the {name} header is not a JSON object", hint='send one such as {"groq_api_key": "..."}', param=name
        ) from None
