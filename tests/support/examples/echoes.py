"""An API whose requests say which provider is to answer them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from pydantic import Field

from runtime.apis._api import Api, route
from runtime.apis._names import ResourceId
from runtime.apis._request import Request, Response
from runtime.provider import ProviderContext
from runtime.spec import inline


class ShoutRequest(Request):
    words: str = Field(description="What to shout.")
    provider_id: ResourceId | None = Field(None, description="Into which valley; may be left out where there is one.")


class Echo(Response):
    valley: str = Field(description="Which one answered.")
    words: str = Field(description="What it answered.")


class Echoes(Protocol):
    @route("POST", "/v1/echoes", key="provider_id")
    async def shout(self, request: ShoutRequest) -> Echo:
        """Shout into a valley."""
        ...

    @route("POST", "/v1/echoes/again", key="provider_id")
    def again(self, request: ShoutRequest) -> AsyncGenerator[Echo, None]:
        """Word by word."""
        ...


class Valley:
    def __init__(self, config: object, context: ProviderContext) -> None:
        self._id = context.provider_id

    async def shout(self, request: ShoutRequest) -> Echo:
        return Echo(valley=self._id, words=request.words)

    async def again(self, request: ShoutRequest) -> AsyncGenerator[Echo, None]:
        for word in request.words.split():
            yield Echo(valley=self._id, words=word)


APIS = (Api("echoes", Echoes),)
SPECS = (("echoes", inline("valley", summary="Answers", adapter=f"{__name__}:Valley")),)
