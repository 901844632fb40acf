"""What is not JSON: files that come in and files that go out, too large to hold, whose bytes are pulled, never pushed;
and protocols that a library answers by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


class Upload:
    """A file in a request: a field of its model. It is read once, from beginning to end, as fast as its bytes arrive.
    Fields that follow it in a form have their values once it was read.

    filename, content_type: as the client says, so data and never a path; empty where it says nothing.
    size_bytes: how long it is, None where that is not known before its end. least_bytes: how long it is at least, as
    far as that is known.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        *,
        filename: str = "",
        content_type: str = "",
        size_bytes: int | None = None,
        least_bytes: int = 0,
    ) -> None:
        self._chunks = chunks
        self.filename = filename
        self.content_type = content_type
        self.size_bytes = size_bytes
        self.least_bytes = least_bytes if size_bytes is None else size_bytes

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Its bytes. Raises TooLarge beyond the route's limit, RequestError where the form is broken."""
        return self._chunks

    async def read(self) -> bytes:
        """All of it at once, for files that are known to be small. Raises as reading it does."""
        return b"".join([part async for part in self])

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.is_instance_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": "binary"}


@dataclass(frozen=True, kw_only=True)
class Download:
    """A file as an answer, whole or in the range that the client asks for.

    size_bytes: of the whole file. read: opens it between two places, the second exclusive; called once, and closed
    when the client leaves. etag: in quotes, changes with the content; without one a range that is to go on an earlier
    answer is not honoured. filename: offered for saving.
    """

    size_bytes: int
    read: Callable[[int, int], AsyncIterator[bytes]]
    content_type: str = "application/octet-stream"
    filename: str | None = None
    etag: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Application:
    """Who answers a request whose protocol is a library's own. asgi: called with the scope, receive and send of ASGI
    (https://asgi.readthedocs.io) for each request, whatever its method; authentication, limits of origins and the
    access line are the server's.
    """

    asgi: Callable[[MutableMapping[str, Any], Callable[..., Awaitable[Any]], Callable[..., Awaitable[None]]], Any]
