"""The Litestar handlers of the paths of the APIs. Litestar finds the path of a request; `Served` answers it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from litestar import Litestar, WebSocket
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from litestar.types import ASGIApp, Middleware
from litestar.types.internal_types import PathParameterDefinition

from runtime.server.served import Served


def handlers(served: Served) -> Iterable[HTTPRouteHandler | WebsocketRouteHandler]:
    """The handlers of all its paths.

    Their middleware answers, so that Litestar routes a request but makes no objects for it: they would cost as much as
    all our own work for a short answer. Paths with the same methods share a handler: one for each would be a third of
    the time in which an application is made.
    """

    async def answered_by_middleware() -> None:
        """Never called."""

    async def opened_by_middleware(socket: WebSocket[Any, Any, Any]) -> None:
        """Never called."""

    def middleware(app: ASGIApp) -> ASGIApp:
        return served.serve  # type: ignore[return-value]  # ASGI's own types, of which Litestar has closer ones

    alike: dict[tuple[str, ...], list[str]] = {}
    for path in served.paths.values():
        alike.setdefault(path.methods(), []).append(path.mounted)
    for methods, those in alike.items():
        yield _OfManyPaths(
            those,
            http_method=methods,  # type: ignore[arg-type]  # our own literals
            include_in_schema=False,
            middleware=[middleware],
        )(answered_by_middleware)
    if sockets := [path.mounted for path in served.paths.values() if "WS" in path.operations]:
        yield WebsocketRouteHandler(sockets, middleware=[middleware])(opened_by_middleware)


class _OfManyPaths(HTTPRouteHandler):
    """A handler of which Litestar asks for each of its paths what is the same for all of them. It is made once, which
    halves the time in which an application is made.
    """

    _is_registered = False
    _middleware: list[Middleware] | None = None
    _kwargs: Any = None

    def on_registration(self, app: Litestar) -> None:
        if not self._is_registered:
            super().on_registration(app)
            self._is_registered = True

    def resolve_middleware(self) -> list[Middleware]:
        if self._middleware is None:
            self._middleware = super().resolve_middleware()
        return self._middleware

    def create_kwargs_model(self, path_parameters: dict[str, PathParameterDefinition]) -> Any:
        """For a call, and it is never called."""
        if self._kwargs is None:
            self._kwargs = super().create_kwargs_model(path_parameters)
        return self._kwargs
