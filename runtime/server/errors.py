"""Converts every exception to one of our errors, so that every route answers with the right status."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from runtime.apis.inspect.protocol import RouteInfo
from runtime.errors import NotFound, StackError, unforeseen
from runtime.invalid.vocabulary import quoted
from runtime.similar import SimilarNames, similar_paths

log = logging.getLogger(__name__)


def as_stack_error(error: BaseException) -> StackError:
    """Our own error for any exception. An unexpected one is logged, and becomes a 500 without its message."""
    if isinstance(error, StackError):
        return error
    log.error("unexpected error", exc_info=error)
    return unforeseen()


class KnownPaths:
    """The paths of all routes, to find the one that a request probably means. routes: called when one is not known."""

    def __init__(self, routes: Callable[[], Iterable[RouteInfo]]) -> None:
        self._find_routes = routes
        self._similar = SimilarNames(similar_paths)

    @cached_property
    def _routes(self) -> list[RouteInfo]:
        return list(self._find_routes())

    @cached_property
    def _paths(self) -> frozenset[str]:
        return frozenset(route.route for route in self._routes)

    @cached_property
    def _newest(self) -> dict[str, None]:
        return {route.route.replace(":path}", "}"): None for route in self._routes if not route.deprecated}

    def hint_for(self, path: str) -> str | None:
        """None if no path is like it."""
        for meant in (f"/v1{path}", path.replace("/v1/v1/", "/v1/", 1)):
            if meant in self._paths:
                return f"did you mean `{meant}`? The client's base URL must end with /v1"
        return self._similar.to(path, lambda: self._newest)


def no_such_route(scope: Mapping[str, Any], known: KnownPaths | None = None) -> NotFound:
    """The error for a path without a route, which it names, since a program does not show what it asked for. scope:
    of the request or WebSocket.
    """
    path = scope["path"]
    message = f"`{scope.get('method', 'WS')} {quoted(path)}` is no route of this server"
    hint = known.hint_for(path) if known is not None else None
    return NotFound(message, hint=hint or "/docs shows all routes, GET /v1/inspect/routes lists them")
