"""A door: errors below its path have a shape of their own, and operations stand behind a colon."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Literal, Protocol

from pydantic import Field

from runtime.apis._api import Api, route
from runtime.apis._doors import Door
from runtime.apis._request import Request, Response
from runtime.errors import Conflict, StackError, Unavailable
from runtime.provider import ProviderContext
from runtime.spec import inline
from runtime.sse import Json


class BellRequest(Request):
    bell: str = Field(description="Which one; slashes are part of its name.")


class Sound(Response):
    type: Literal["sound"] = Field("sound", description="Always `sound`.")
    bell: str = Field(description="Which one.")
    how: str = Field(description="What was done to it.")


class Bells(Protocol):
    @route("GET", "/v1/bells/{bell:path}")
    async def look(self, request: BellRequest) -> Sound:
        """Look at a bell."""
        ...

    @route("POST", "/v1/bells/{bell:path}:ring", raises=(Conflict,))
    async def ring(self, request: BellRequest) -> Sound:
        """Ring a bell."""
        ...

    @route("POST", "/v1/bells/{bell:path}:streamRing")
    def stream_ring(self, request: BellRequest) -> AsyncGenerator[Sound, None]:
        """Ring it on and on."""
        ...


class Ringer:
    def __init__(self, config: object, context: ProviderContext) -> None:
        pass

    async def look(self, request: BellRequest) -> Sound:
        return Sound(bell=request.bell, how="looked at")

    async def ring(self, request: BellRequest) -> Sound:
        if request.bell == "cracked":
            raise Conflict("The bell is cracked", hint="mend it")
        return Sound(bell=request.bell, how="rung")

    async def stream_ring(self, request: BellRequest) -> AsyncGenerator[Sound, None]:
        yield Sound(bell=request.bell, how="rung")
        raise Unavailable("the rope tore")


class DongDetail(Response):
    status: int = Field(description="The answer's status.")
    words: str = Field(description="What happened.")


class Dong(Response):
    type: Literal["dong"] = Field(description="Always `dong`.")
    dong: DongDetail = Field(description="What went wrong.")
    id: str = Field(description="The request's.")


def dingdong(error: StackError, request_id: str) -> Json:
    return {"type": "dong", "dong": {"status": error.status, "words": error.message}, "id": request_id}


APIS = (Api("bells", Bells, door=Door(prefixes=("/v1/bells",), body=dingdong, event="dong", error=Dong)),)
SPECS = (("bells", inline("ringer", summary="Rings", adapter=f"{__name__}:Ringer")),)
