"""An API with an upload and a download: neither is ever in memory as a whole."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from pydantic import Field

from runtime.apis._api import Api, route
from runtime.apis._carriers import Download, Upload
from runtime.apis._request import Request, Response
from runtime.errors import NotFound
from runtime.provider import ProviderContext
from runtime.spec import inline

LIMIT_BYTES = 4 * 1024 * 1024


class ExpiresAfter(Request):
    anchor: str = Field(description="From when.")
    seconds: int = Field(description="For how long, in seconds.")


class PutRequest(Request):
    file: Upload = Field(description="What to keep.")
    purpose: str = Field(description="What for.")
    tags: list[str] = Field(default_factory=list, description="Any.")
    expires_after: ExpiresAfter | None = Field(None, description="When it may go.")


class PutManyRequest(Request):
    files: list[Upload] = Field(description="What to keep.")


class FillRequest(Request):
    book_id: str = Field(description="Which one.")
    content: Upload = Field(description="What is in it.")


class BookRequest(Request):
    book_id: str = Field(description="Which one.")


class Book(Response):
    id: str = Field(description="By which it is read.")
    filename: str = Field(description="As its sender called it.")
    size: int = Field(description="In bytes.")
    purpose: str = Field("", description="What for.")
    tags: list[str] = Field(default_factory=list, description="Any.")
    seconds: int | None = Field(None, description="For how long.")


class Books(Response):
    data: list[Book] = Field(description="In the order in which they came.")


class Shelves(Protocol):
    @route("POST", "/v1/books", body="form", limit_bytes=LIMIT_BYTES)
    async def put(self, request: PutRequest) -> Book:
        """Keep a file."""
        ...

    @route("POST", "/v1/books/many", body="form")
    async def put_many(self, request: PutManyRequest) -> Books:
        """Keep several files."""
        ...

    @route("PUT", "/v1/books/{book_id}", body="bytes")
    async def fill(self, request: FillRequest) -> Book:
        """Keep bytes under a name."""
        ...

    @route("GET", "/v1/books/{book_id}/content")
    async def read(self, request: BookRequest) -> Download:
        """What is in it."""
        ...


class Shelf:
    """most_bytes: the largest piece that was ever handed in, by which a test sees that files are pulled. may_read: what
    reading waits for; asked: set when it began to wait; left: set when a `fill` is over.
    """

    def __init__(self, config: object, context: ProviderContext) -> None:
        self._folder = context.state_dir
        self.most_bytes = 0
        self.may_read, self.asked, self.left = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.may_read.set()

    async def put(self, request: PutRequest) -> Book:
        name = hashlib.sha256(request.file.filename.encode()).hexdigest()[:16]
        size = await self._keep(name, request.file)
        seconds = request.expires_after.seconds if request.expires_after else None
        facts = {"purpose": request.purpose, "tags": request.tags, "seconds": seconds}
        return Book(id=name, filename=request.file.filename, size=size, **facts)

    async def put_many(self, request: PutManyRequest) -> Books:
        books = []
        for place, file in enumerate(request.files):
            size = await self._keep(f"many{place}", file)
            books.append(Book(id=f"many{place}", filename=file.filename, size=size))
        return Books(data=books)

    async def fill(self, request: FillRequest) -> Book:
        self.asked.set()
        try:
            await self.may_read.wait()
            size = await self._keep(request.book_id, request.content)
        finally:
            self.left.set()
        return Book(id=request.book_id, filename="", size=size)

    async def read(self, request: BookRequest) -> Download:
        path = self._place(request.book_id)
        if not path.is_file():
            raise NotFound(f"There is no book `{request.book_id}`")
        return Download(
            size_bytes=path.stat().st_size,
            read=lambda begin, end: _part(path, begin, end),
            content_type="text/plain",
            filename='Über "alles".txt',
            etag=f'"{request.book_id}"',
        )

    def _place(self, name: str) -> Path:
        """A caller's name is data, and never a path."""
        return self._folder / hashlib.sha256(name.encode()).hexdigest()

    async def _keep(self, name: str, upload: Upload) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        place, size = self._place(name), 0
        half_done = place.with_suffix(".part")
        try:
            with half_done.open("wb") as file:
                async for data in upload:
                    self.most_bytes = max(self.most_bytes, len(data))
                    size += file.write(data)
            half_done.rename(place)
        finally:
            half_done.unlink(missing_ok=True)
        return size


async def _part(path: Path, begin: int, end: int) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        file.seek(begin)
        while begin < end and (data := file.read(min(1000, end - begin))):
            begin += len(data)
            yield data


APIS = (Api("shelves", Shelves),)
SPECS = (("shelves", inline("shelf", summary="Keeps files", adapter=f"{__name__}:Shelf")),)
