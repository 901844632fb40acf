"""The providers of this stack: their configuration without secrets, and their health."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import Field

from runtime.apis._api import Alias, Api, route
from runtime.apis._names import ResourceId
from runtime.apis._request import Empty, Request, Response


class ProviderHealth(Response):
    """status: llama-stack's word; state: ours, more precise; message: why."""

    status: Literal["OK", "Error", "Not Implemented"]
    state: Literal["ready", "starting", "needs-key", "degraded"]
    message: str | None = None


class ProviderInfo(Response):
    api: str
    provider_id: str
    provider_type: str
    config: dict[str, Any] = Field(description="As configured, secrets replaced.")
    health: ProviderHealth


class ProviderList(Response):
    data: list[ProviderInfo]


class ProviderRequest(Request):
    provider_id: ResourceId
    api: ResourceId | None = Field(None, description="Which of several providers with this id; by default the first.")


class Providers(Protocol):
    @route("GET", "/v1/providers", aliases=(Alias(path="/v1alpha/admin/providers", deprecated=False),))
    async def list_providers(self, request: Empty) -> ProviderList:
        """Every provider that is on, with its health."""
        ...

    @route(
        "GET",
        "/v1/providers/{provider_id}",
        aliases=(Alias(path="/v1alpha/admin/providers/{provider_id}", deprecated=False),),
    )
    async def get_provider(self, request: ProviderRequest) -> ProviderInfo:
        """One provider. 404 with close matches for an unknown id."""
        ...


API = Api("providers", Providers, always=True)
