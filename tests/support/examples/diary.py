"""A provider that keeps rows where its own config says: `persistence: {backend, namespace}`."""

from __future__ import annotations

from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from runtime.apis._api import Api, route
from runtime.apis._request import Empty, Request, Response
from runtime.provider import ProviderContext
from runtime.spec import inline
from runtime.storage.placement import KeyValueReference


class PageRequest(Request):
    day: str = Field(description="Which day.")
    text: str = Field(description="What happened.")


class Page(Response):
    day: str = Field(description="Which day.")
    text: str = Field(description="What happened.")


class PageList(Response):
    data: list[Page] = Field(description="All pages, by day.")


class Diaries(Protocol):
    @route("POST", "/v1/diary", status=201)
    async def write(self, request: PageRequest) -> Page:
        """Write a page; it is on disk when this answers."""
        ...

    @route("GET", "/v1/diary")
    async def read(self, request: Empty) -> PageList:
        """All pages."""
        ...


class DiaryConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    persistence: KeyValueReference = Field(description="Where the pages are kept.")


class Diary:
    def __init__(self, config: DiaryConfig, context: ProviderContext) -> None:
        self._pages = context.storage.kv(config.persistence)

    async def write(self, request: PageRequest) -> Page:
        await self._pages.set(request.day, request.text.encode())
        return Page(day=request.day, text=request.text)

    async def read(self, request: Empty) -> PageList:
        return PageList(data=[Page(day=day, text=text.decode()) for day, text in await self._pages.scan("")])


APIS = (Api("diaries", Diaries),)
SPECS = (
    ("diaries", inline("diary", summary="Keeps pages", adapter=f"{__name__}:Diary", config=f"{__name__}:DiaryConfig")),
)
