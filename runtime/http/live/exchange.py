"""An answer of aiohttp's on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import aiohttp

from runtime.http.live.failures import shown, transport_error
from runtime.http.live.upload import Upload
from runtime.http.proxies import Proxy
from runtime.http.refusals import Call
from runtime.http.transport import Outgoing

_BODY_BYTES = 512 * 1024 * 1024
"""The largest answer that is read as a whole; 2,048 long embeddings as text are a quarter of it."""


class LiveExchange:
    """As `Exchange`. until: when it ends at the latest, by the event loop's clock. upload: a body on its way out.

    Raises, where it is read: UpstreamError for a body that breaks off or is too large, UpstreamTimeout, and what the
    upload's source raised or `end` was given.
    """

    __slots__ = (
        "__weakref__", "_provider_id", "_proxy", "_request", "_response", "_until", "_upload", "headers", "status",
    )  # fmt: skip

    def __init__(
        self,
        provider_id: str,
        request: Outgoing,
        response: aiohttp.ClientResponse,
        proxy: Proxy,
        until: float | None,
        upload: Upload | None,
    ) -> None:
        self._provider_id = provider_id
        self._request = request
        self._response = response
        self._proxy = proxy
        self._until = until
        self._upload = upload
        if upload is not None:
            upload.when_it_fails(self.end)
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers

    @property
    def proxy(self) -> str:
        """Behind TLS only the server itself can have answered."""
        return shown(self._proxy) if self._response.url.scheme == "http" else ""

    @property
    def _call(self) -> Call:
        return Call(self._provider_id, self._request, proxy=shown(self._proxy))

    async def read(self) -> bytes:
        parts, size = [], 0
        async for data in self.chunks():
            parts.append(data)
            size += len(data)
            if size > _BODY_BYTES:
                raise self._call.failed(f"answered with more than {_BODY_BYTES} bytes ({self._call.place})")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        read = self._response.content.readany if self._until is None else self._read_in_time
        try:
            while data := await read():
                yield data
        except (TimeoutError, aiohttp.ClientError) as error:
            raise transport_error(self._call, error, self._proxy) from error

    async def _read_in_time(self) -> bytes:
        async with asyncio.timeout_at(self._until):
            return await self._response.content.readany()

    def end(self, error: Exception) -> None:
        """Have whoever reads it, now or later, raise this error, unless all of it has come. aiohttp tells a reader
        nothing when its session is closed or the request's body fails, and ends the limit on silence as well.
        """
        if not self._response.content.is_eof():
            self._response.content.set_exception(error)

    async def close(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()
        if self._upload is not None:
            await self._upload.close()
