"""Answers with the stack's own information about itself."""

from __future__ import annotations

import runtime
from runtime.apis._request import Empty
from runtime.apis.inspect.protocol import HealthInfo, ListRoutesRequest, RouteList, VersionInfo
from runtime.provider import ProviderContext


class BuiltinInspect:
    """Implements `Inspect`."""

    def __init__(self, config: object, context: ProviderContext) -> None:
        self._stack = context.stack

    async def health(self, request: Empty) -> HealthInfo:
        return HealthInfo()

    async def version(self, request: Empty) -> VersionInfo:
        return VersionInfo(version=runtime.__version__)

    async def list_routes(self, request: ListRoutesRequest) -> RouteList:
        wanted = request.api_filter
        if wanted == "deprecated":
            return RouteList(data=[route for route in self._stack.routes() if route.deprecated])
        return RouteList(
            data=[
                route
                for route in self._stack.routes()
                if not route.deprecated and (wanted is None or route.route.startswith(f"/{wanted}/"))
            ]
        )
