"""An API with a resource that is registered, two backends, a method that one of them lacks, and one that need not name
a resource.
"""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import Field

from runtime.apis._api import Api, route
from runtime.apis._metadata import Metadata
from runtime.apis._names import ResourceId
from runtime.apis._request import Empty, Registered, Request, Response
from runtime.apis._resources import Resource
from runtime.provider import ProviderContext
from runtime.spec import inline


class LampRequest(Request):
    lamp_id: ResourceId = Field(description="Which lamp.")


class RegisterLampRequest(LampRequest):
    provider_id: ResourceId | None = Field(None, description="Who is to switch it.")
    provider_lamp_id: ResourceId | None = Field(None, description="Its name there.")
    watts: int = Field(5, description="What it takes.")
    metadata: Metadata = Field(default_factory=dict, description="Anything.")


class DimRequest(LampRequest):
    percent: int = Field(ge=0, le=100, description="How bright.")


class GlowRequest(Request):
    lamp: ResourceId | None = Field(None, description="Which lamp; may be left out where one provider has them all.")


class Lamp(Response):
    lamp_id: str = Field(description="The name to ask for.")
    provider_id: str = Field(description="Who switches it.")
    watts: int = Field(description="What it takes.")


class LampList(Response):
    object: Literal["list"] = Field("list", description="Always `list`.")
    data: list[Lamp] = Field(description="All that the caller may see.")


class State(Response):
    by: str = Field(description="The provider that answered.")
    lamp: str = Field(description="Its own name for the lamp.")
    watts: int = Field(description="What the resource says.")
    percent: int = Field(description="How bright.")


class Glow(Response):
    by: str = Field(description="The provider that answered.")
    lamp: str | None = Field(description="Its own name for the lamp; null where it chose.")


class Lamps(Protocol):
    @route("GET", "/v1/lamps", registry="list", returns=LampList)
    async def list_lamps(self, request: Empty) -> LampList:
        """Every lamp."""
        ...

    @route("GET", "/v1/lamps/{lamp_id}", registry="get")
    async def get_lamp(self, request: LampRequest) -> Lamp:
        """One lamp."""
        ...

    @route("POST", "/v1/lamps", registry="register")
    async def register_lamp(self, request: RegisterLampRequest) -> Lamp:
        """Register a lamp."""
        ...

    @route("DELETE", "/v1/lamps/{lamp_id}", registry="remove", status=204)
    async def unregister_lamp(self, request: LampRequest) -> None:
        """Forget a lamp."""
        ...


class Lighting(Protocol):
    @route("POST", "/v1/lighting/on", key="lamp_id")
    async def switch_on(self, request: LampRequest) -> State:
        """Switch a lamp on."""
        ...

    @route("POST", "/v1/lighting/dim", key="lamp_id")
    async def dim(self, request: DimRequest) -> State:
        """Dim a lamp."""
        ...

    @route("POST", "/v1/lighting/glow", aliases=("/v1/glow",), key="lamp")
    async def glow(self, request: GlowRequest) -> Glow:
        """Light a lamp, or any."""
        ...


class Switch:
    def __init__(self, config: object, context: ProviderContext) -> None:
        self._id = context.provider_id

    async def switch_on(self, request: LampRequest) -> State:
        assert request.resource is not None
        return State(by=self._id, lamp=request.lamp_id, watts=request.resource.facts["watts"], percent=100)

    async def glow(self, request: GlowRequest) -> Glow:
        return Glow(by=self._id, lamp=request.lamp)


class Dimmer(Switch):
    async def dim(self, request: DimRequest) -> State:
        state = await self.switch_on(request)
        return state.model_copy(update={"percent": request.percent})


def shown(lamp: Registered) -> Lamp:
    return Lamp(lamp_id=lamp.id, provider_id=lamp.provider_id, watts=lamp.facts["watts"])


LAMP = Resource(
    kind="lamp",
    served_by="lighting",
    id_field="lamp_id",
    config_key="lamps",
    older_keys=("bulbs",),
    configured=RegisterLampRequest,
    answer=shown,
)
APIS = (Api("lamps", Lamps, resource=LAMP), Api("lighting", Lighting))
SPECS = (
    ("lighting", inline("switch", summary="On and off", adapter=f"{__name__}:Switch")),
    ("lighting", inline("dimmer", summary="All between", adapter=f"{__name__}:Dimmer")),
)
