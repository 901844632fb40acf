"""The operations that a stack serves, by path, and answering a request for one of them. Every request ends up here,
whoever has found its path.

Here the body is validated once into the method's request model, which keeps the bytes, the API is called, and its
result is passed to `Answer`. Knows no API by name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from runtime.apis._api import Operation
from runtime.apis._carriers import Application
from runtime.context import current
from runtime.server.answer import Answer
from runtime.server.asgi import HTTP, Receive, Scope, Send
from runtime.server.binding import Bind, binder
from runtime.server.doors import DoorErrors, Doors
from runtime.server.errors import no_such_route
from runtime.server.incoming import ClientLeft, Incoming
from runtime.server.leaving import EXTENSION
from runtime.server.mounts import Mount, as_sent, mount
from runtime.server.ongoing import Ongoing
from runtime.server.sockets import serve_socket
from runtime.stack.stack import Stack

MAX_BODY_BYTES = 64 * 1024 * 1024

_ANY = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_NO_FIELDS: Mapping[str, str] = {}
_NO_EXTENSIONS: Mapping[str, Any] = {}
_CLIENT_VERSION = b"x-llamastack-client-version"
"""A header of llama-stack's own clients. Those before 0.7 would parse `[DONE]` as JSON, and none of them needs it."""


@dataclass(frozen=True, slots=True)
class Bound:
    """An operation at one of its paths, with everything that is the same for all requests. path: as it is documented,
    with the names of its fields.
    """

    operation: Operation
    path: str
    mount: Mount
    method: Callable[[Any], Any]
    bind: Bind
    errors: DoorErrors
    limit: int


class Path:
    """The operations of one path, by method; with text beside their fields, several may share a method. allow: the
    header that lists the methods.
    """

    def __init__(self) -> None:
        self.operations: dict[str, list[Bound]] = {}

    def add(self, method: str, one: Bound) -> None:
        for known in _ANY if method == "ANY" else (method, "HEAD") if method == "GET" else (method,):
            several = self.operations.setdefault(known, [])
            several.append(one)
            several.sort(key=lambda one: one.mount.is_exact)  # those with text beside their fields are tried first

    @property
    def allow(self) -> tuple[bytes, bytes]:
        return b"allow", ", ".join(self.methods()).encode()

    def methods(self) -> tuple[str, ...]:
        return tuple(sorted({*self.operations, "OPTIONS"} - {"WS"}))

    @property
    def mounted(self) -> str:
        """As Litestar takes it: the longest, since only one of the operations may take slashes."""
        return max((one.mount.path for several in self.operations.values() for one in several), key=len)


class Served:
    """The mounted paths of what is made of a stack at this moment, aliases included. ongoing: where its answers are
    while they are served. paths: by template, as `Mount` has it; `serve` takes scopes that have one.
    """

    def __init__(self, stack: Stack, doors: Doors, ongoing: Ongoing) -> None:
        self._ongoing = ongoing
        self.paths: dict[str, Path] = {}
        for name, api in stack.mounted().items():
            for operation in api.operations():
                router = stack.api(name)
                call = getattr(router, operation.name)
                bind = binder(operation, partial(router.check_upload, operation.name))
                for method, path, _ in operation.route.mounts():
                    at = mount(path)
                    limit = operation.route.limit_bytes or MAX_BODY_BYTES
                    one = Bound(operation, path, at, call, bind, doors.of(path), limit)
                    self.paths.setdefault(at.template, Path()).add(method, one)

    def serve(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """What answers, as it is: one more coroutine would be one more in each request. scope: with `path_template` and
        `path_params`, of a method that the path has, or `OPTIONS`. Raises NotFound.
        """
        served = self.paths[scope["path_template"]]
        method = scope["method"] if scope["type"] == HTTP else "WS"
        if method == "OPTIONS":
            return _allow(served, send)
        several = served.operations[method]
        one, fields = several[0], _NO_FIELDS
        if scope["path_params"]:
            one, fields = _meant(several, scope)
        scope["route"] = one.path  # for whoever tells of the request when it is over
        if method == "WS":
            return _serve_socket(one, receive, send, self._ongoing)
        if one.operation.route.method == "ANY":
            return _serve_application(one, scope, receive, send)
        return _serve(one, fields, scope, receive, send, self._ongoing)


async def _allow(served: Path, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": [served.allow]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _serve(
    one: Bound, fields: Mapping[str, str], scope: Any, receive: Receive, send: Send, ongoing: Ongoing
) -> None:
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
        errors=one.errors,
        with_done=_CLIENT_VERSION not in incoming.headers,
    )
    await answer.serve(send, is_head=scope["method"] == "HEAD")


async def _serve_application(one: Bound, scope: Scope, receive: Receive, send: Send) -> None:
    application: Application = await one.method(one.operation.request())
    await application.asgi(scope, receive, send)


async def _serve_socket(one: Bound, receive: Receive, send: Send, ongoing: Ongoing) -> None:
    await serve_socket(
        one.method,
        one.operation.request,
        receive=receive,
        send=send,
        errors=one.errors,
        ongoing=ongoing,
        tells_error=one.operation.route.tells_error,
    )


def _meant(bound: list[Bound], scope: Scope) -> tuple[Bound, Mapping[str, str]]:
    """Which operation of a path is meant, and the fields in the path. Raises NotFound if none matches."""
    values = as_sent(scope["path_params"], scope["raw_path"])
    for one in bound:
        if (fields := one.mount.fields(values)) is not None:
            return one, fields
    raise no_such_route(scope)
