"""A provider that counts, in a table of analytics which ages."""

from __future__ import annotations

from typing import Protocol

from pydantic import Field

from runtime.apis._api import Api, route
from runtime.apis._request import Request, Response
from runtime.provider import ProviderContext
from runtime.spec import inline
from runtime.storage.analytics.tables import AnalyticsColumn, AnalyticsTable

STEPS = AnalyticsTable(
    name="steps", columns=(AnalyticsColumn("at", "time"), AnalyticsColumn("count", "integer")), aged_by="at"
)


class StepsRequest(Request):
    at: float = Field(description="When, in seconds since 1970.")
    count: int = Field(description="How many.")


class Total(Response):
    count: int = Field(description="How many there were in all.")


class Meters(Protocol):
    @route("POST", "/v1/meter")
    async def add(self, request: StepsRequest) -> Total:
        """Add steps, and sum up; they are on disk when this answers."""
        ...


class Meter:
    def __init__(self, config: None, context: ProviderContext) -> None:
        self._steps = context.storage.analytics(STEPS)

    async def add(self, request: StepsRequest) -> Total:
        await self._steps.append(STEPS, [{"at": request.at, "count": request.count}])
        [[total]] = (await self._steps.query("SELECT sum(count) FROM steps")).rows
        return Total(count=total)


APIS = (Api("meters", Meters),)
SPECS = (("meters", inline("meter", summary="Counts steps", adapter=f"{__name__}:Meter", analytics=(STEPS.name,))),)
