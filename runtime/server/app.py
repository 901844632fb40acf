"""The Litestar application of a stack: generated routes, the middleware around them, CORS, and starting and closing the
stack.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from litestar import Litestar, Request, Response
from litestar.config.app import AppConfig
from litestar.config.cors import CORSConfig
from litestar.exceptions import HTTPException, NotFoundException
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.response import Redirect
from litestar.routes import ASGIRoute, BaseRoute, HTTPRoute, WebSocketRoute
from litestar.types.internal_types import RouteHandlerMapItem

from runtime.config.sections import CorsConfig
from runtime.server.asgi import App
from runtime.server.closing import close_in_time
from runtime.server.doors import Doors
from runtime.server.errors import KnownPaths
from runtime.server.handlers import handlers
from runtime.server.masking import Hidden
from runtime.server.middleware.origin import OriginMiddleware
from runtime.server.middleware.request import RequestMiddleware
from runtime.server.ongoing import Ongoing
from runtime.server.openapi.handlers import PAGE_PATH, document_handlers
from runtime.server.routing_errors import ErrorAnswer, our_error
from runtime.server.served import Served
from runtime.stack.stack import Stack

if TYPE_CHECKING:
    from runtime.telemetry.metrics.of_spans import SpanMetrics


class _PlainLitestar(Litestar):
    """Without what it has for models of pydantic and attrs. It sees none of ours, and imports pydantic's older version
    for them, which is a tenth of the time in which a stack starts. Without its own telemetry either, which it imports
    to find whether it is in use.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._mapped: list[BaseRoute] = []
        self._by_path: dict[str, RouteHandlerMapItem] = {}
        super().__init__(*args, **settings)

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]

    @staticmethod
    def _patch_opentelemetry_middleware(config: AppConfig) -> AppConfig:
        return config

    @property
    def route_handler_method_map(self) -> dict[str, RouteHandlerMapItem]:
        """Litestar asks for it with each path, and then goes through all routes before it: here through new ones."""
        mapped = self._mapped
        if self.routes[: len(mapped)] != mapped:  # one was replaced
            mapped, self._by_path = [], {}
        for route in self.routes[len(mapped) :]:
            self._by_path.setdefault(route.path, {}).update(_handlers_of(route))
        self._mapped = [*self.routes]
        return self._by_path


def _handlers_of(route: BaseRoute) -> RouteHandlerMapItem:
    if isinstance(route, HTTPRoute):
        return {method: handler for handler in route.route_handlers for method in handler.http_methods}
    if isinstance(route, WebSocketRoute):
        return {"websocket": route.route_handler}
    return {"asgi": route.route_handler} if isinstance(route, ASGIRoute) else {}


def make_app(
    stack: Stack,
    *,
    cors: CorsConfig | None = None,
    hosts: Sequence[str] | None = None,
    starts_stack: bool = True,
    hidden: Hidden | None = None,
    metrics: SpanMetrics | None = None,
) -> RequestMiddleware:
    """The application of an open stack. Its lifespan starts the stack's slow work, and closes the stack at the end.

    hosts: host names that requests may use, besides those of this machine; None if other machines may use any name.
    starts_stack: False if the caller starts the stack once the socket answers. hidden: what its errors never show; by
    default the secrets of its plan. metrics: what is counted in the stack, if that is to be read.
    """

    @asynccontextmanager
    async def life(_: Litestar) -> AsyncIterator[None]:
        if starts_stack:
            stack.start()
        try:
            yield
        finally:
            await close_in_time(stack)

    doors = Doors(stack.plan.apis.values(), hidden or Hidden(stack.plan.secrets()))
    ongoing = Ongoing()
    app = routed(stack, Served(stack, doors, ongoing), doors, cors=cors, life=life)
    if metrics is not None:
        from runtime.server.metrics import with_metrics  # not above: most servers have none

        app = with_metrics(app, metrics, stack, ongoing)
    guarded = OriginMiddleware(app, cors=cors, hosts=hosts)
    return RequestMiddleware(
        guarded, ongoing, stack.instance, doors, stack.nameless, stack.faults, processor=lambda: stack.processor
    )


def routed(
    stack: Stack,
    served: Served,
    doors: Doors,
    *,
    cors: CorsConfig | None = None,
    life: Callable[[Litestar], AbstractAsyncContextManager[None]] | None = None,
) -> App:
    """Finds what is meant by a request, and refuses what is nothing of it: all that is between the middleware around
    the application and what `served` answers. life: its lifespan.
    """
    known = KnownPaths(stack.routes)

    def shown(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        path = request.scope["path"]
        wants_page = path == "/" and "text/html" in request.headers.get("accept", "")
        if wants_page and isinstance(error, NotFoundException):
            # Somebody has opened the address that `run` prints. Relative: a proxy may have a path before it.
            return Redirect(PAGE_PATH.lstrip("/"), status_code=307, headers={"vary": "accept"})
        return ErrorAnswer(our_error(error, request.scope, known), doors.of(path))

    return _PlainLitestar(  # type: ignore[return-value]  # ASGI's own types, of which Litestar has closer ones
        [*handlers(served), *document_handlers(stack.plan, doors)],
        lifespan=[life] if life is not None else [],
        cors_config=_cors(cors) if cors else None,
        exception_handlers={HTTPException: shown, Exception: shown},
        logging_config=None,
        openapi_config=None,  # Litestar sees no models; `openapi` makes the document
        request_max_body_size=None,  # `incoming` reads and limits bodies
    )


def _cors(cors: CorsConfig) -> CORSConfig:
    return CORSConfig(
        allow_origins=list(cors.allow_origins),
        allow_origin_regex=re.compile(cors.allow_origin_regex).pattern if cors.allow_origin_regex else None,
        allow_methods=list(cors.allow_methods),  # type: ignore[arg-type]  # method names from the run config
        allow_headers=list(cors.allow_headers),
        allow_credentials=cors.allow_credentials,
        expose_headers=list(cors.expose_headers),
        max_age=cors.max_age,
    )
