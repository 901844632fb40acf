"""The operations of the API `providers`."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import Field

from runtime.apis._api import Alias, route
from runtime.apis._names import ResourceId
from runtime.apis._request import Empty, Request, Response


class ProviderHealth(Response):
    """The health of one provider, as it is now."""

    status: Literal["OK", "Error", "Not Implemented"] = Field(description="In llama-stack's words.")
    state: Literal["ready", "starting", "needs-key", "degraded"] = Field(description="The same, more precisely.")
    message: str | None = Field(None, description="Why, and what to do about it; null where there is nothing to say.")
    since: str | None = Field(None, description="Since when it does not work, such as `2026-11-26T07:03:11Z`.")
    metrics: dict[str, dict[str, float]] | None = Field(
        None,
        description="Of a provider that computes answers itself, by model: queue, KV cache, prefix hits, latencies and"
        " rates, with units in their names; null for others.",
    )


class ProviderInfo(Response):
    """One provider of this stack."""

    api: str = Field(description="The API that it serves.")
    provider_id: str = Field(description="Its id in the run config; unique within its API.")
    provider_type: str = Field(description="Its type, `inline::name` or `remote::name`.")
    config: dict[str, Any] = Field(description="Its configuration, with secrets replaced.")
    health: ProviderHealth = Field(description="Whether it works.")


class ProviderList(Response):
    """The providers of this stack."""

    data: list[ProviderInfo] = Field(description="Every provider that is on.")


class ProviderRequest(Request):
    """Which provider to show."""

    provider_id: ResourceId = Field(description="Its id in the run config.")
    api: ResourceId | None = Field(
        None, description="Its API, where several providers have this id. Default: the first that has it."
    )


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
