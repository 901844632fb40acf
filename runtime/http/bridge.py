"""A vendor's SDK over our own connections: transports for httpx and httpx2 that send through an `HttpClient`.

What the SDK sends goes by the provider's network settings, authentication and transport, recordings included, and both
bodies stream. The SDK sees every status itself but a redirection, which is an error, since our key would go with it;
and httpx's own errors, from which `cause_of` gets ours back. It should not repeat a call of itself (`max_retries=0`): a
POST is sent once. Nothing else imports httpx or httpx2, and this only when asked for.
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
"""Written by the sender. Nothing compressed is asked for."""
_CONNECT_CODES = ("upstream_unreachable", "proxy_failed", "proxy_not_usable")


def httpx_transport(client: HttpClient) -> httpx.AsyncBaseTransport:
    """For `httpx.AsyncClient(transport=...)`. The client stays its provider's: to close the transport does nothing."""
    import httpx

    transport: httpx.AsyncBaseTransport = _transport_of(httpx)(client)
    return transport


def httpx2_transport(client: HttpClient) -> httpx2.AsyncBaseTransport:
    """For `httpx2.AsyncClient(transport=...)`, which the OpenAI SDK takes as its `http_client` from version 3 on."""
    import httpx2

    transport: httpx2.AsyncBaseTransport = _transport_of(httpx2)(client)
    return transport


def cause_of(error: BaseException) -> StackError | None:
    """The error of ours behind one that an SDK raised; None where there is none."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, StackError):
        # What was merely being handled when an SDK raised `from None`, such as another provider's failure, is no cause.
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return seen


@cache
def _transport_of(library: ModuleType) -> Any:
    """The transport's class for httpx or httpx2, whose interfaces are the same."""

    class Transport(library.AsyncBaseTransport):  # type: ignore[misc,name-defined]  # a module that is known when called
        def __init__(self, client: HttpClient) -> None:
            self._client = client

        async def handle_async_request(self, request: Any) -> Any:
            try:
                exchange = await self._client.exchange(await _outgoing(request, library))
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
    """An answer's as they came, in whatever encoding: what is no UTF-8 has become surrogates. Without cookies, which
    httpx would keep for its next caller.
    """
    kept = ((name, value) for name, value in exchange.headers.items() if name.lower() != "set-cookie")
    return [(name.encode(), value.encode(errors="surrogateescape")) for name, value in kept]


def _timeouts(stated: dict[str, float | None]) -> Timeouts | None:
    """What httpx's client was given; None of it for the provider's own."""
    limits = {"connect_s": stated.get("connect"), "read_s": stated.get("read")}
    known = {name: limit for name, limit in limits.items() if limit is not None}
    return Timeouts(**known) if known else None


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
