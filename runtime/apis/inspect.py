"""Health, version and the routes that are mounted."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import Field

from runtime.apis._api import Alias, Api, route
from runtime.apis._request import Empty, Request, Response


class HealthInfo(Response):
    status: Literal["OK"] = "OK"


class VersionInfo(Response):
    version: str


class RouteInfo(Response):
    route: str
    method: str
    provider_types: list[str]
    api: str
    deprecated: bool


class RouteList(Response):
    data: list[RouteInfo]


class ListRoutesRequest(Request):
    api_filter: Literal["v1", "v1alpha", "v1beta", "deprecated"] | None = Field(
        None, description="Only routes of this level, or only deprecated ones; by default all that are not deprecated."
    )


def _also(*paths: str) -> tuple[Alias, ...]:
    return tuple(Alias(path=path, deprecated=False) for path in paths)


class Inspect(Protocol):
    @route("GET", "/v1/health", aliases=_also("/health", "/v1alpha/admin/health"), public=True)
    async def health(self, request: Empty) -> HealthInfo:
        """Whether the server answers; what each provider is up to is in `/v1/providers`."""
        ...

    @route("GET", "/v1/version", aliases=_also("/v1alpha/admin/version"), public=True)
    async def version(self, request: Empty) -> VersionInfo:
        """The runtime's version."""
        ...

    @route("GET", "/v1/inspect/routes", aliases=_also("/v1alpha/admin/inspect/routes"))
    async def list_routes(self, request: ListRoutesRequest) -> RouteList:
        """Every mounted route and the provider types behind it."""
        ...


API = Api("inspect", Inspect, always=True)
