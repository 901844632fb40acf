"""An API over a WebSocket, beside a POST of the same path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Literal, Protocol

from pydantic import Field

from runtime.apis._api import Api, route
from runtime.apis._request import Request, Response
from runtime.context import current
from runtime.errors import Unavailable
from runtime.provider import ProviderContext
from runtime.spec import inline


class SayRequest(Request):
    words: str = Field(description="What to repeat.")
    times: int = Field(1, ge=0, description="How often.")


class Said(Response):
    type: Literal["parrot.said"] = Field("parrot.said", description="Always `parrot.said`.")
    words: str = Field(description="The same.")
    language: str | None = Field(None, description="What the caller's header says.")


class Parrots(Protocol):
    @route("POST", "/v1/parrot")
    async def say(self, request: SayRequest) -> Said:
        """Repeat once."""
        ...

    @route("WS", "/v1/parrot")
    def talk(self, requests: AsyncIterator[SayRequest]) -> AsyncIterator[Said]:
        """Repeat as long as somebody talks."""
        ...


class Parrot:
    """may_go_on: what `wait` waits for; waits: set when that began. left: set when a talk's last `finally`, which
    awaits `release`, is through.
    """

    def __init__(self, config: object, context: ProviderContext) -> None:
        self.left, self.may_go_on, self.waits = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.release: Callable[[], Awaitable[None]] = partial(asyncio.sleep, 0)

    async def say(self, request: SayRequest) -> Said:
        return Said(words=request.words, language=current().header("Accept-Language"))

    async def talk(self, requests: AsyncIterator[SayRequest]) -> AsyncGenerator[Said, None]:
        language = current().header("Accept-Language")
        try:
            async for request in requests:
                if request.words == "die":
                    raise Unavailable("the parrot is no more")
                if request.words == "exit":
                    raise SystemExit(3)
                if request.words == "cancelled":
                    raise asyncio.CancelledError  # as by a future that somebody else cancelled
                if request.words == "bye":
                    return
                if request.words == "wait":
                    self.waits.set()
                    await self.may_go_on.wait()
                for _ in range(request.times):
                    yield Said(words=request.words, language=language)
        finally:
            await self.release()
            await asyncio.to_thread(lambda: None)
            self.left.set()


APIS = (Api("parrots", Parrots),)
SPECS = (("parrots", inline("parrot", summary="Repeats", adapter=f"{__name__}:Parrot")),)
