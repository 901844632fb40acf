"""One call over a provider's own connections.

Why aiohttp: httpx's pool costs six times as much a request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from functools import lru_cache

import aiohttp
from yarl import URL

from runtime.addresses import Proxy
from runtime.errors import UpstreamError, UpstreamUnreachable
from runtime.http.live.exchange import LiveExchange
from runtime.http.live.failures import proxy_error, shown, transport_error, was_not_sent
from runtime.http.live.given_names import GivenNames
from runtime.http.live.sessions import Sessions
from runtime.http.live.targets import NO_PROXY, Targets
from runtime.http.live.upload import BodyParts
from runtime.http.network import Network
from runtime.http.phases import Phase, timeout_error
from runtime.http.refusals import Call
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing

log = logging.getLogger(__name__)
_SINGLE_WRITE_BYTES = 256 * 1024
"""The largest body that is sent in one write. A larger one is sent in parts, so that we notice when a server stops
reading it.
"""
_CPP_HTTPLIB = "max="
"""Recognizes a `Keep-Alive` header of cpp-httplib, which llama.cpp's server uses: `timeout=5, max=100`. Despite this
header, it closes the connection shortly after each stream, and a request that is sent in that moment is lost. So the
connections to such a server are not used again.
"""


class LiveTransport:
    """Sends over the network. Without a limit on connections by default, since streams keep theirs for a long time.

    Never asks for compressed answers, and decompresses nothing, since bodies are passed on. The proxy of each address
    is looked up once: aiohttp's own `trust_env` reads files in a thread at every request.

    only_public, are_given, shows_paths: see `Connections`.
    """

    def __init__(
        self,
        provider_id: str,
        network: Network | None = None,
        *,
        only_public: bool = False,
        are_given: bool = False,
        shows_paths: bool = True,
    ) -> None:
        self._provider_id = provider_id
        self._shows_paths = shows_paths
        self._network = network or Network()
        self._is_limited = self._network.limits is not None and self._network.limits.max_connections is not None
        self._targets = Targets(provider_id, self._network.proxy)
        resolver = None
        if only_public or are_given:
            resolver = GivenNames(only_public=only_public, is_proxy=self._targets.is_proxy)
        self._sessions = Sessions(provider_id, self._network, resolver)
        self._exchanges: set[LiveExchange] = set()

    async def send(self, request: Outgoing, timeouts: Timeouts) -> LiveExchange:
        """Send a request once, since a server that closes the connection may have processed it. (aiohttp repeats a GET
        over a connection that was idle, which does no harm.)

        Raises UpstreamError if there is no answer, UpstreamUnreachable if nothing was sent, UpstreamTimeout, and errors
        from the source of a body in parts.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        until = None if timeouts.total_s is None else began + timeouts.total_s
        is_small = isinstance(request.body, bytes | None) and len(request.body or b"") <= _SINGLE_WRITE_BYTES
        upload = None if is_small else BodyParts(request, timeouts, until)
        proxy = NO_PROXY
        try:
            url, proxy = self._targets.known.get(request.url) or self._targets.find(request)
            sending = self._request(request, url, proxy, timeouts, upload)
            response = await (sending if until is None and upload is None else _in_time(sending, until, upload))
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            if upload is not None and upload.failure is not None:
                raise upload.failure from None
            call = self._call(request, proxy)
            if isinstance(error, TimeoutError):
                phase = self._phase(error, loop.time(), began, until, upload, timeouts)
                raise timeout_error(call, phase, timeouts) from None
            if upload is None and was_not_sent(error):
                words = f"`{self._provider_id}` closed the connection before the request was sent ({call.place})"
                raise UpstreamUnreachable(words, provider_id=self._provider_id) from None
            found = transport_error(call, error, proxy, request.headers)
            # Only a system's error is kept as the cause: others quote the address, which may contain a key, and a log
            # shows causes.
            raise found from error if isinstance(error, OSError) else None
        if _CPP_HTTPLIB in response.headers.get("keep-alive", ""):
            self._sessions.stop_reuse()
        exchange = LiveExchange(
            self._provider_id, request, response, proxy, timeouts, until, upload, on_close=self._exchanges.discard
        )
        self._exchanges.add(exchange)
        if response.status == 407 and proxy.url:
            await exchange.close()
            raise proxy_error(self._call(request, proxy), proxy, "it requires other credentials")
        return exchange

    def _request(
        self, request: Outgoing, url: URL, proxy: Proxy, timeouts: Timeouts, upload: BodyParts | None
    ) -> Awaitable[aiohttp.ClientResponse]:
        session = self._sessions.current or self._sessions.open(request)
        return session.request(
            request.method, url, proxy=proxy.url, ssl=self._sessions.tls_behind_proxy if proxy.url else True,
            headers=request.headers if upload is None else upload.headers,
            data=request.body if upload is None else upload,
            timeout=_client_timeout(timeouts, waits=self._is_limited),
            allow_redirects=False,
        )  # fmt: skip

    def _phase(
        self,
        error: TimeoutError,
        now: float,
        began: float,
        until: float | None,
        upload: BodyParts | None,
        timeouts: Timeouts,
    ) -> Phase:
        """What a call waited for that has not been answered. now, began, until: by the event loop's clock."""
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return "free" if self._is_limited and now - began >= timeouts.read_s else "connect"
        if until is not None and now >= until:
            return "total"
        return "first_byte" if upload is None or upload.is_sent else "send"

    def _call(self, request: Outgoing, proxy: Proxy) -> Call:
        return Call(self._provider_id, request, proxy=shown(proxy), shows_paths=self._shows_paths)

    async def close(self) -> None:
        for exchange in list(self._exchanges):
            exchange.end(UpstreamError(f"`{self._provider_id}` was stopped", provider_id=self._provider_id))
        await self._sessions.close()


@lru_cache(256)
def _client_timeout(timeouts: Timeouts, *, waits: bool) -> aiohttp.ClientTimeout:
    """waits: whether a call may have to wait until another one releases its connection. `connect` includes this wait,
    and the search for the server's address, which `sock_connect` does not.
    """
    return aiohttp.ClientTimeout(
        total=None, connect=timeouts.read_s if waits else timeouts.connect_s, sock_connect=timeouts.connect_s,
        sock_read=timeouts.first_byte_s or timeouts.read_s,
    )  # fmt: skip


async def _in_time(
    sending: Awaitable[aiohttp.ClientResponse], until: float | None, upload: BodyParts | None
) -> aiohttp.ClientResponse:
    """The answer of a request with a limit or a body in parts. until: by the event loop's clock. upload: moves the
    limit on as it is sent. Raises TimeoutError.
    """
    try:
        async with asyncio.timeout_at(until) as limit:
            if upload is not None:
                upload.limit = limit
            response = await sending
    except BaseException:
        if upload is not None:
            await upload.close()
        raise
    if upload is not None:
        upload.limit = None
    return response
