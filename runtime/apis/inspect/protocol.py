"""The operations of the API `inspect`."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import Field

from runtime.apis._api import Alias, route
from runtime.apis._request import Empty, Request, Response


class HealthInfo(Response):
    """The server answers."""

    status: Literal["OK"] = "OK"


class VersionInfo(Response):
    """The runtime's version."""

    version: str = Field(description="As in the package's metadata, `1.2.3`.")


class RouteInfo(Response):
    """One mounted route."""

    route: str = Field(description="Its path, with `{name}` for parameters.")
    method: str = Field(description="Its HTTP method.")
    provider_types: list[str] = Field(description="The types of the providers behind it.")
    api: str = Field(description="The API that it belongs to.")
    deprecated: bool = Field(description="Whether it is an older path for another route.")


class RouteList(Response):
    """The mounted routes."""

    data: list[RouteInfo] = Field(description="One entry for each path and method.")


class ListRoutesRequest(Request):
    """Which routes to list."""

    api_filter: Literal["v1", "v1alpha", "v1beta", "deprecated"] | None = Field(
        None, description="Only routes of this level, or only deprecated ones. Default: all that are not deprecated."
    )


def _also(*paths: str) -> tuple[Alias, ...]:
    return tuple(Alias(path=path, deprecated=False) for path in paths)


class Inspect(Protocol):
    @route("GET", "/v1/health", aliases=_also("/health", "/v1alpha/admin/health"))
    async def health(self, request: Empty) -> HealthInfo:
        """Whether the server answers; the state of each provider is in `/v1/providers`."""
        ...

    @route("GET", "/v1/version", aliases=_also("/v1alpha/admin/version"))
    async def version(self, request: Empty) -> VersionInfo:
        """The runtime's version."""
        ...

    @route("GET", "/v1/inspect/routes", aliases=_also("/v1alpha/admin/inspect/routes"))
    async def list_routes(self, request: ListRoutesRequest) -> RouteList:
        """Every mounted route and the provider types behind it."""
        ...
