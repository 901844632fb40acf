"""The generated handlers: one per path that APIs mark. Step one of every request's way.

A handler validates the body into the method's request model once, keeps the bytes beside it, calls the API, and
hands the result to `Answer`. Nothing here knows an API by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from runtime.apis._api import Operation
from runtime.server.answer import Answer, NoAnswer
from runtime.server.binding import bind
from runtime.server.incoming import ClientLeft, Incoming
from runtime.stack.stack import Stack

MAX_BODY_BYTES = 64 * 1024 * 1024

_CLIENT_VERSION = b"x-llamastack-client-version"
"""What llama-stack's own clients send. Those before 0.7 take `[DONE]` for JSON, and none of them needs it."""


def handlers(stack: Stack) -> Iterable[HTTPRouteHandler]:
    """A Litestar handler for each mounted path of the stack, aliases included.

    One for all methods of a path, since Litestar's answer to OPTIONS knows only the first of several.
    """
    bound: dict[str, dict[str, _Bound]] = {}
    for name, api in stack.plan.apis.items():
        for operation in api.operations():
            for http_method, path, _ in operation.route.mounts():
                bound.setdefault(_litestar_path(path), {})[http_method] = name, operation
    for path, methods in bound.items():
        yield _handler(stack, path, methods)


_Bound = tuple[str, Operation]
"""The API that a route belongs to, and its method there."""


def _handler(stack: Stack, path: str, bound: dict[str, _Bound]) -> HTTPRouteHandler:
    if "GET" in bound:
        bound["HEAD"] = bound["GET"]

    async def handle(request: Request[Any, Any, Any]) -> Response[None]:
        api, operation = bound[request.scope["method"]]
        incoming = Incoming(request.scope, request.receive, limit=MAX_BODY_BYTES)
        try:
            asked = await bind(operation, request, incoming)
        except ClientLeft:
            return NoAnswer()
        method = getattr(stack.api(api), operation.name)
        ends_bare = _CLIENT_VERSION in incoming.headers
        return Answer(lambda: method(asked), route=operation.route, incoming=incoming, ends_bare=ends_bare)

    return HTTPRouteHandler(
        path,
        http_method=list(bound),  # type: ignore[arg-type]  # our own literals, and HEAD
        include_in_schema=False,
        name=path,
        status_code=200,
    )(handle)


def _litestar_path(path: str) -> str:
    """`{name}` and `{name:path}` in Litestar's words."""
    parts = [part if ":" in part or not part.startswith("{") else part[:-1] + ":str}" for part in path.split("/")]
    return "/".join(parts)
