"""The generated handlers, one for each path of the APIs. Every request starts here.

A handler validates the body once into the method's request model, which keeps the bytes, calls the API, and passes the
result to `Answer`. Knows no API by name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from litestar import WebSocket
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from runtime.apis._api import Operation
from runtime.apis._carriers import Application
from runtime.apis._doors import Door
from runtime.context import current
from runtime.server.answer import Answer
from runtime.server.binding import Bind, binder
from runtime.server.doors import Doors
from runtime.server.errors import no_such_route
from runtime.server.incoming import ClientLeft, Incoming
from runtime.server.leaving import EXTENSION
from runtime.server.mounts import Mount, as_sent, mount
from runtime.server.ongoing import Ongoing
from runtime.server.sockets import serve_socket
from runtime.stack.stack import Stack

MAX_BODY_BYTES = 64 * 1024 * 1024

_NO_FIELDS: Mapping[str, str] = {}
_NO_EXTENSIONS: Mapping[str, Any] = {}
_CLIENT_VERSION = b"x-llamastack-client-version"
"""A header of llama-stack's own clients. Those before 0.7 would parse `[DONE]` as JSON, and none of them needs it."""


@dataclass(frozen=True, slots=True)
class _Bound:
    """An operation at one of its paths, with everything that is the same for all requests."""

    operation: Operation
    mount: Mount
    method: Callable[[Any], Any]
    bind: Bind
    door: Door
    limit: int


def handlers(stack: Stack, doors: Doors, ongoing: Ongoing) -> Iterable[HTTPRouteHandler | WebsocketRouteHandler]:
    """A Litestar handler for each mounted path of the stack, aliases included. ongoing: where its answers are while
    they are served.

    One handler for all methods of a path, which lists them in its answer to OPTIONS.
    """
    bound: dict[str, dict[str, list[_Bound]]] = {}
    for name, api in stack.plan.apis.items():
        for operation in api.operations():
            router = stack.api(name)
            call = getattr(router, operation.name)
            bind = binder(operation, partial(router.check_upload, operation.name))
            for method, path, _ in operation.route.mounts():
                at = mount(path)
                limit = operation.route.limit_bytes or MAX_BODY_BYTES
                one = _Bound(operation, at, call, bind, doors.of(path), limit)
                bound.setdefault(at.path, {}).setdefault(method, []).append(one)
    for path, methods in bound.items():
        for several in methods.values():
            several.sort(key=lambda one: one.mount.is_exact)  # those with text beside their fields are tried first
        if sockets := methods.pop("WS", None):
            yield _socket_handler(path, sockets, ongoing)
        if applications := methods.pop("ANY", None):
            yield _application_handler(path, applications[0])
        if methods:
            yield _handler(path, methods, ongoing)


def _handler(path: str, bound: dict[str, list[_Bound]], ongoing: Ongoing) -> HTTPRouteHandler:
    """A handler whose middleware answers, so that Litestar routes the request but makes no objects for it: they would
    cost as much as all our own work for a short answer.
    """
    if "GET" in bound:
        bound["HEAD"] = bound["GET"]

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == ScopeType.HTTP
        method = scope["method"]
        several = bound[method]  # only paths with fields are shared by several
        one, fields = several[0], _NO_FIELDS
        if scope["path_params"]:
            one, fields = _meant(several, scope)
        extensions: Mapping[str, Any] = scope.get("extensions") or _NO_EXTENSIONS
        connection = extensions[EXTENSION]["connection"] if EXTENSION in extensions else None
        incoming = Incoming(current().request_headers, receive, limit=one.limit, connection=connection)
        try:
            asked = await one.bind(fields, scope["query_string"], incoming)
        except ClientLeft:
            incoming.release()
            return  # nothing is sent, and the access line says 499
        except BaseException:
            incoming.release()
            raise
        answer = Answer(
            partial(one.method, asked),
            route=one.operation.route,
            incoming=incoming,
            ongoing=ongoing,
            door=one.door,
            with_done=_CLIENT_VERSION not in incoming.headers,
        )
        await answer.serve(send, is_head=method == "HEAD")

    return _routed(path, bound, serve)


def _routed(path: str, methods: Iterable[str], serve: ASGIApp) -> HTTPRouteHandler:
    """Answers OPTIONS too: Litestar would make a second handler for it, in a third of the time that the application
    takes.
    """
    known = sorted([*methods, "OPTIONS"])
    allowed = [(b"allow", ", ".join(known).encode())]

    def routed(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """What `serve` returns, as it is: one more coroutine would be one more in each request."""
        return allow(send) if scope["method"] == "OPTIONS" else serve(scope, receive, send)  # type: ignore[typeddict-item]  # it is HTTP

    async def allow(send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": allowed})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def answered_by_middleware() -> None:
        """Never called."""

    return HTTPRouteHandler(
        path,
        http_method=known,  # type: ignore[arg-type]  # our own literals
        include_in_schema=False,
        name=path,
        middleware=[lambda app: routed],
    )(answered_by_middleware)


def _application_handler(path: str, bound: _Bound) -> HTTPRouteHandler:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        application: Application = await bound.method(bound.operation.request())
        await application.asgi(scope, receive, send)  # type: ignore[arg-type]  # ASGI's own, of which Litestar has types

    return _routed(path, ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"), serve)


def _socket_handler(path: str, bound: list[_Bound], ongoing: Ongoing) -> WebsocketRouteHandler:
    async def handle(socket: WebSocket[Any, Any, Any]) -> None:
        one, _ = _meant(bound, socket.scope)
        await serve_socket(
            one.method,
            one.operation.request,
            receive=socket.receive,
            send=socket.send,
            door=one.door,
            ongoing=ongoing,
            tells_error=one.operation.route.tells_error,
        )

    return WebsocketRouteHandler(path)(handle)


def _meant(bound: list[_Bound], scope: Mapping[str, Any]) -> tuple[_Bound, Mapping[str, str]]:
    """Which operation of a path is meant, and the fields in the path. Raises NotFound if none matches."""
    values = as_sent(scope["path_params"], scope["raw_path"])
    for one in bound:
        if (fields := one.mount.fields(values)) is not None:
            return one, fields
    raise no_such_route(scope)
