"""The operations of the API `shields`, and what they take and return."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import Field

from runtime.apis._api import route
from runtime.apis._metadata import ResourceMetadata
from runtime.apis._names import ResourceId
from runtime.apis._request import Empty, Registered, Request, Response, example


class Shield(Response):
    """A shield: what looks at a conversation and says whether it is harmful."""

    identifier: str = Field(description="Its id.")
    provider_id: str = Field(description="The provider of `safety` that it belongs to.")
    provider_resource_id: str = Field(description="The provider's own name for it, such as a model.")
    type: Literal["shield"] = "shield"
    params: dict[str, Any] | None = Field(None, description="What its provider was told beyond that.")


class ShieldList(Response):
    """The shields that the caller may see."""

    data: list[Shield] = Field(description="Every shield.")


class ShieldRequest(Request):
    """Which shield."""

    shield_id: ResourceId = Field(min_length=1, description="Its id.")


class RegisterShieldRequest(Request):
    """A shield to have."""

    model_config = example(shield_id="my-guard", provider_id="llama-guard", provider_shield_id="ollama/llama-guard3:1b")

    shield_id: ResourceId = Field(min_length=1, description="The name to ask for.")
    provider_shield_id: ResourceId | None = Field(
        None, description="The provider's own name for it, such as a model. Default: the same as `shield_id`."
    )
    provider_id: ResourceId | None = Field(
        None, description="The provider that it belongs to. Default: the only one that can."
    )
    params: ResourceMetadata | None = Field(
        None, description="What its provider is told beyond that, as the provider documents it. Default: nothing."
    )


class Shields(Protocol):
    @route("GET", "/v1/shields", registry="list", returns=ShieldList)
    async def list_shields(self, request: Empty) -> ShieldList:
        """Every shield."""
        ...

    @route("GET", "/v1/shields/{shield_id:path}", registry="get")
    async def get_shield(self, request: ShieldRequest) -> Shield:
        """One shield by its id. 404 with close matches for an unknown one."""
        ...

    @route("POST", "/v1/shields", registry="register")
    async def register_shield(self, request: RegisterShieldRequest) -> Shield:
        """Register a shield; it is still there after a restart. 409 when the name is another shield's."""
        ...

    @route("DELETE", "/v1/shields/{shield_id:path}", registry="remove", status=204)
    async def unregister_shield(self, request: ShieldRequest) -> None:
        """Forget a registered shield. 409 for one of the run config."""
        ...


def answer(shield: Registered) -> Shield:
    return Shield(
        identifier=shield.id,
        provider_id=shield.provider_id,
        provider_resource_id=shield.provider_resource_id,
        params=shield.facts.get("params"),
    )
