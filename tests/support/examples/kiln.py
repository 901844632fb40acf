"""A provider with durable work: what is put in is fired, also after a restart."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from pydantic import Field

from runtime.access import Caller
from runtime.apis._api import Api, route
from runtime.apis._paging import Page, PageRequest
from runtime.apis._request import Request, Response, example
from runtime.context import current
from runtime.provider import ProviderContext
from runtime.spec import inline
from runtime.storage.jobs import Job, RunningJob


class FireRequest(Request):
    model_config = example(pot="blue")

    pot: str = Field(description="Which one.")


class FiringRequest(Request):
    id: str = Field(description="Of a firing.")


class Firing(Response):
    id: str = Field(description="Of the firing.")
    state: str = Field(description="How it is.")
    result: str | None = Field(None, description="The pot, once it is fired.")


class Firings(Page):
    data: list[Firing] = Field(description="Of this page.")


class Kilns(Protocol):
    @route("POST", "/v1/firings")
    async def fire(self, request: FireRequest) -> Firing:
        """Fire a pot."""
        ...

    @route("GET", "/v1/firings")
    async def list_firings(self, request: PageRequest) -> Firings:
        """What was fired."""
        ...

    @route("GET", "/v1/firings/{id}")
    async def firing(self, request: FiringRequest) -> Firing:
        """How it goes."""
        ...

    @route("POST", "/v1/firings/{id}/cancel")
    async def cancel(self, request: FiringRequest) -> Firing:
        """Let it cool."""
        ...


class Kiln:
    """may_end: what each firing waits for. fired_for: as whom they were done."""

    def __init__(self, config: object, context: ProviderContext) -> None:
        self.jobs = context.jobs.handle("firing", self._fire, prefix="firing_")
        self.may_end = asyncio.Event()
        self.fired_for: list[Caller] = []

    async def fire(self, request: FireRequest) -> Firing:
        return _shown(await self.jobs.add({"pot": request.pot}, user=current().user))

    async def list_firings(self, request: PageRequest) -> Firings:
        found, has_more = await self.jobs.page(request, user=current().user)
        return Firings(data=[_shown(job) for job in found], has_more=has_more)

    async def firing(self, request: FiringRequest) -> Firing:
        return _shown(await self.jobs.get(request.id, user=current().user))

    async def cancel(self, request: FiringRequest) -> Firing:
        return _shown(await self.jobs.cancel(request.id, user=current().user))

    async def _fire(self, running: RunningJob) -> Any:
        await self.may_end.wait()
        self.fired_for.append(current().user)
        return f"{running.payload['pot']}, fired"


def _shown(job: Job) -> Firing:
    return Firing(id=job.id, state=job.state, result=job.result)


APIS = (Api("kilns", Kilns),)
SPECS = (("kilns", inline("kiln", summary="Fires", adapter=f"{__name__}:Kiln")),)
