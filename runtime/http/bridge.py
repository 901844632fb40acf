"""A vendor's SDK over our own connections: transports for httpx and httpx2 that send through an `HttpClient`.

The SDK's requests use the provider's network settings, authentication and transport (also recordings), and both bodies
stream. The SDK sees every status itself, except a redirection, which is an error unless the caller wants it, since our
key would be sent along. It gets httpx's own errors; `cause_of` finds our error behind one. Turn off its retries
(`max_retries=0`), so that a POST is sent once. Only this module imports httpx or httpx2, and only when a function needs
it; beside it, the provider whose SDK has httpx2 in its interface (`connectors`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runtime.errors import StackError, UpstreamError, UpstreamTimeout
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Exchange, Outgoing

if TYPE_CHECKING:
    import httpx
    import httpx2

_OWN_HEADERS = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}
"""Our own transport writes these, and never asks for a compressed answer."""
_CONNECT_CODES = ("upstream_unreachable", "proxy_failed", "proxy_not_usable")


def httpx_transport(client: HttpClient) -> httpx.AsyncBaseTransport:
    """For `httpx.AsyncClient(transport=...)`. Closing the transport does nothing: the provider closes the client."""
    import httpx

    transport: httpx.AsyncBaseTransport = _transport_of(httpx)(client)
    return transport


def httpx2_transport(client: HttpClient, *, redirects: bool = False) -> httpx2.AsyncBaseTransport:
    """For `httpx2.AsyncClient(transport=...)`, the `http_client` of the OpenAI SDK since version 3. redirects: whether
    the SDK sees redirections.
    """
    import httpx2

    transport: httpx2.AsyncBaseTransport = _transport_of(httpx2)(client, redirects=redirects)
    return transport


def cause_of(error: BaseException) -> StackError | None:
    """Our error behind one that an SDK raised; None if there is none."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, StackError):
        # With `from None`, the context is only an error that was being handled, such as another provider's: not a
        # cause.
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return seen


@cache
def _transport_of(library: ModuleType) -> Any:
    """The transport's class for httpx or httpx2, which have the same interface."""

    class Transport(library.AsyncBaseTransport):  # type: ignore[misc,name-defined]  # a module that is known when called
        def __init__(self, client: HttpClient, *, redirects: bool = False) -> None:
            self._client = client
            self._redirects = redirects

        async def handle_async_request(self, request: Any) -> Any:
            try:
                exchange = await self._client.exchange(await _outgoing(request, library), redirects=self._redirects)
            except UpstreamError as error:
                raise _their_error(library, error, request) from error
            return library.Response(exchange.status, headers=_headers(exchange), stream=Body(exchange, request))

    class Body(library.AsyncByteStream):  # type: ignore[misc,name-defined]
        """An answer's body as it comes."""

        def __init__(self, exchange: Exchange, request: Any) -> None:
            self._exchange = exchange
            self._request = request

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for data in self._exchange.chunks():
                    yield data
            except UpstreamError as error:
                raise _their_error(library, error, self._request, is_reading=True) from error

        async def aclose(self) -> None:
            await self._exchange.close()

    return Transport


async def _outgoing(request: Any, library: ModuleType) -> Outgoing:
    """httpx's request as ours."""
    sized = request.headers.get("content-length", "")
    body = request.stream
    if isinstance(body, library.ByteStream):
        body = b"".join([part async for part in body])
    return Outgoing(
        method=request.method,
        url=str(request.url),
        headers={name: value for name, value in request.headers.items() if name not in _OWN_HEADERS},
        body=body or None,
        size=int(sized) if sized.isdecimal() and not isinstance(body, bytes) else None,
        timeouts=_timeouts(request.extensions.get("timeout") or {}),
    )


def _headers(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    """An answer's headers with their original bytes: those that are not UTF-8 became surrogates. Without cookies, since
    httpx would keep them for its next caller.
    """
    kept = ((name, value) for name, value in exchange.headers.items() if name.lower() != "set-cookie")
    return [(name.encode(), value.encode(errors="surrogateescape")) for name, value in kept]


def _timeouts(given: dict[str, float | None]) -> Timeouts | None:
    """The timeouts of httpx's client; None if it has none, so that the provider's own are used."""
    connect_s, read_s = given.get("connect"), given.get("read")
    if connect_s is None and read_s is None:
        return None
    usual = Timeouts()
    return Timeouts(connect_s=connect_s or usual.connect_s, read_s=read_s or usual.read_s)


def _their_error(library: ModuleType, error: UpstreamError, request: Any, *, is_reading: bool = False) -> Exception:
    """The library's own error for one of ours."""
    if isinstance(error, UpstreamTimeout):
        kind = library.ReadTimeout
    elif is_reading:
        kind = library.ReadError
    else:
        kind = library.ConnectError if error.code in _CONNECT_CODES else library.RemoteProtocolError
    made: Exception = kind(error.message, request=request)
    return made
