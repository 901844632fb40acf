"""An answer that is being received with aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import aiohttp

from runtime.addresses import Proxy
from runtime.http.live.failures import shown, transport_error
from runtime.http.live.silence import Silence
from runtime.http.live.upload import BodyParts
from runtime.http.phases import Phase, timeout_error
from runtime.http.refusals import Call
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing

_BODY_BYTES = 512 * 1024 * 1024
"""The largest answer that is read as a whole; 2,048 long embeddings as text take a quarter of it."""


class LiveExchange:
    """Implements `Exchange`. until: when it must end, by the event loop's clock. upload: the request's body while it is
    being sent.

    Raises while it is read: UpstreamError for a body that ends early or is too large, UpstreamTimeout, the error of the
    upload's source, and the error passed to `end`.
    """

    __slots__ = (
        "_on_close",
        "_provider_id",
        "_proxy",
        "_request",
        "_response",
        "_silence",
        "_timeouts",
        "_until",
        "_upload",
        "headers",
        "status",
    )  # fmt: skip

    def __init__(
        self,
        provider_id: str,
        request: Outgoing,
        response: aiohttp.ClientResponse,
        proxy: Proxy,
        timeouts: Timeouts,
        until: float | None,
        upload: BodyParts | None,
        *,
        on_close: Callable[[LiveExchange], None],
    ) -> None:
        self._on_close = on_close
        self._silence: Silence | None = None
        self._provider_id = provider_id
        self._request = request
        self._response = response
        self._proxy = proxy
        self._timeouts = timeouts
        self._until = until
        self._upload = upload
        if upload is not None:
            upload.on_failure(self.end)
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers

    @property
    def proxy(self) -> str:
        """Empty behind TLS, since only the server itself can have answered then."""
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
                raise self._call.too_large(_BODY_BYTES)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        read = self._response.content.readany if self._until is None else self._read_in_time
        phase: Phase = "first_byte"
        try:
            data = await read()
            phase = "read"
            if self._response.content.is_eof():  # the rest is there, too
                while data:
                    yield data
                    data = await read()
                return
            silence = self._limit_silence()
            while data:
                yield data
                silence.begin()
                data = await read()
                silence.heard()
        except aiohttp.SocketTimeoutError as error:
            raise timeout_error(self._call, phase, self._timeouts) from error
        except TimeoutError as error:
            raise timeout_error(self._call, "total", self._timeouts) from error
        except aiohttp.ClientError as error:
            raise transport_error(self._call, error, self._proxy) from error

    async def _read_in_time(self) -> bytes:
        async with asyncio.timeout_at(self._until):
            return await self._response.content.readany()

    def _limit_silence(self) -> Silence:
        """Use our own limit instead of aiohttp's, which is the one for the wait before the first byte."""
        connection = self._response.connection  # None once the whole body has arrived
        if connection is not None and connection.protocol is not None:
            connection.protocol.read_timeout = None
            connection.protocol.start_timeout()
        if self._silence is None:
            self._silence = Silence(self._timeouts.read_s, lambda: self.end(aiohttp.SocketTimeoutError()))
        return self._silence

    def end(self, error: Exception) -> None:
        """Make reading raise this error, now or later, unless the whole answer has arrived. Without it, a reader would
        wait for ever when its session is closed or the request's body fails: aiohttp then ends its read timeout too.
        """
        if not self._response.content.is_eof():
            self._response.content.set_exception(error)

    async def close(self) -> None:
        self._on_close(self)
        if self._silence is not None:
            self._silence.stop()
            self._silence = None  # it holds this, and the request's body with it
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()
        if self._upload is not None:
            await self._upload.close()
