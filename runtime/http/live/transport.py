"""One aiohttp session for each provider: its connections, and one call over them.

Why aiohttp: httpx's pool costs six times as much a request.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable
from functools import cache, lru_cache
from typing import Any
from weakref import WeakSet

import aiohttp
from yarl import URL

from runtime.errors import UpstreamError
from runtime.http.live.exchange import LiveExchange
from runtime.http.live.failures import proxy_error, shown, transport_error
from runtime.http.live.upload import Upload
from runtime.http.network import LimitSettings, Network
from runtime.http.proxies import Proxy, proxy_for
from runtime.http.refusals import Call
from runtime.http.timeouts import Timeouts
from runtime.http.tls import TlsSettings
from runtime.http.transport import Outgoing

log = logging.getLogger(__name__)
_HEADER_BYTES = 64 * 1024
"""The longest header line of an answer: vendors send content security policies of 10 kB and more."""
IDLE_S = {"http": 4.0, "https": 15.0}
"""How long a connection may lie idle and be used again. uvicorn (so vLLM), llama.cpp and Node close theirs after 5 s: a
POST that is sent at that moment is lost, and must not be sent again. Behind TLS connections are dear, and kept longer.
"""
_AT_ONCE_BYTES = 256 * 1024
"""A larger body is sent in parts: only then is it noticed that a server takes no more of it."""
_DIRECTLY = Proxy()
_WAYS = 256
"""Addresses whose way is remembered."""
_PROMISE = "max="
"""In a `Keep-Alive` header of cpp-httplib, which llama.cpp's server is made with: `timeout=5, max=100`. It closes a
moment after each stream all the same, and a request that is sent in that moment is lost: so none is used again.
"""


class LiveTransport:
    """Over the network. No limit on connections unless the config sets one: streams hold theirs for long.

    Nothing is decompressed, and nothing compressed is asked for, since bodies are passed on. Proxies are looked up once
    for each address: aiohttp's own `trust_env` reads files in a thread at every request.
    """

    def __init__(self, provider_id: str, network: Network | None = None) -> None:
        self._provider_id = provider_id
        self._network = network or Network()
        self._is_limited = self._network.limits is not None and self._network.limits.max_connections is not None
        self._sessions: dict[bool, aiohttp.ClientSession] = {}  # by whether a connection is used again
        self._exchanges: WeakSet[LiveExchange] = WeakSet()
        self._is_used_again = True
        self._ways: dict[str, tuple[URL, Proxy]] = {}
        self._reported: set[str] = set()  # variables that name no proxy that can be used
        self._tls_behind_proxy: ssl.SSLContext | bool = True
        self._is_user_reported = False

    async def send(self, request: Outgoing, timeouts: Timeouts) -> LiveExchange:
        """A request is sent once: a server that closes the connection may have worked on it. (aiohttp repeats a GET
        over a connection that had been idle, which does no harm.)

        Raises UpstreamError where no answer came, UpstreamTimeout, and what the source of a body in parts raised.
        """
        until = None if timeouts.total_s is None else asyncio.get_running_loop().time() + timeouts.total_s
        is_small = isinstance(request.body, bytes | None) and len(request.body or b"") <= _AT_ONCE_BYTES
        upload = None if is_small else Upload(request, timeouts, until)
        proxy = _DIRECTLY
        try:
            url, proxy = self._ways.get(request.url) or self._way_of(request)
            asking = self._ask(request, url, proxy, timeouts, upload)
            response = await (asking if until is None and upload is None else _in_time(asking, until, upload))
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            if upload is not None and upload.failure is not None:
                raise upload.failure from None
            found = transport_error(self._call(request, proxy), error, proxy, request.headers)
            # Others quote the address, which may hold a key, and a log shows the cause of what it reports.
            raise found from error if isinstance(error, OSError) else None
        if timeouts.first_byte_s is not None:
            _limit_silence(response, timeouts.read_s)
        if _PROMISE in response.headers.get("keep-alive", ""):
            self._is_used_again = False
        exchange = LiveExchange(self._provider_id, request, response, proxy, until, upload)
        self._exchanges.add(exchange)
        if response.status == 407 and proxy.url:
            await exchange.close()
            raise proxy_error(self._call(request, proxy), proxy, "it wants other credentials")
        return exchange

    def _ask(
        self, request: Outgoing, url: URL, proxy: Proxy, timeouts: Timeouts, upload: Upload | None
    ) -> Awaitable[aiohttp.ClientResponse]:
        session = self._sessions.get(self._is_used_again) or self._open_session(request)
        return session.request(
            request.method, url, proxy=proxy.url, ssl=self._tls_behind_proxy if proxy.url else True,
            headers=request.headers if upload is None else upload.headers,
            data=request.body if upload is None else upload,
            timeout=_client_timeout(timeouts, waits=self._is_limited),
            allow_redirects=False,
        )  # fmt: skip

    def _way_of(self, request: Outgoing) -> tuple[URL, Proxy]:
        """Where a request goes and through which proxy, remembered for the next one to the same address."""
        url = URL(request.url, encoded=True)
        if url.raw_user is not None:
            return self._without_user(url, request), self._proxy(url, request)
        if len(self._ways) >= _WAYS:
            self._ways.clear()
        way = self._ways[request.url] = url, self._proxy(url, request)
        return way

    def _proxy(self, url: URL, request: Outgoing) -> Proxy:
        """Raises UpstreamError where the environment names a proxy that we cannot speak to: to go past it would send a
        request, and its key, where nobody meant them to go.
        """
        found = proxy_for(url.scheme, url.raw_host or "", url.port, self._network.proxy)
        if not found.is_usable:
            if found.named_by not in self._reported:
                self._reported.add(found.named_by)
                facts = {"provider_id": self._provider_id, "variable": found.named_by}
                log.warning("the proxy of a variable cannot be used", extra=facts)
            raise self._call(request, _DIRECTLY).failed(
                f"cannot be reached through the proxy that {found.named_by} names",
                code="proxy_not_usable",
                hint=f"name one as in `http://proxy.example:3128`, or add {url.raw_host} to `NO_PROXY`",
            )
        return found

    def _without_user(self, url: URL, request: Outgoing) -> URL:
        """`user:password@` of an address becomes an `Authorization` header, and so does a key: only one can be sent."""
        if "authorization" not in request.headers:
            return url
        if not self._is_user_reported:
            self._is_user_reported = True
            log.warning(
                "the user and the password of an address are not sent, its key is",
                extra={"provider_id": self._provider_id},
            )
        return url.with_user(None)

    def _call(self, request: Outgoing, proxy: Proxy) -> Call:
        return Call(self._provider_id, request, proxy=shown(proxy))

    def _open_session(self, request: Outgoing) -> aiohttp.ClientSession:
        """Raises UpstreamError where the files of its TLS settings have changed since its config was read."""
        tls, proxy = self._network.tls, self._network.proxy
        try:
            if proxy is not None and proxy.cacert is not None:
                self._tls_behind_proxy = (tls or TlsSettings()).context(authorities=proxy.cacert)
            context = tls.context() if tls is not None else _shared_context()
        except ValueError as error:
            words = f"cannot be called: the TLS settings of its config: {error}"
            raise self._call(request, _DIRECTLY).failed(words, code="tls_settings") from error
        limits = self._network.limits or LimitSettings()
        idle_s = limits.keepalive_expiry
        if idle_s is None:
            idle_s = IDLE_S["https" if request.url.startswith("https:") else "http"]
        is_used_again = self._is_used_again and limits.max_keepalive_connections != 0
        again: dict[str, Any] = {"keepalive_timeout": idle_s} if is_used_again else {"force_close": True}
        session = self._sessions[self._is_used_again] = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limits.max_connections or 0, ssl=context, ttl_dns_cache=60, **again),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("accept", "user-agent"),
            # Some servers compress unless they are told not to.
            headers={"user-agent": "llama-stack", "accept-encoding": "identity"},
            auto_decompress=False,
            read_bufsize=256 * 1024,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
        )
        return session

    async def close(self) -> None:
        for exchange in list(self._exchanges):
            exchange.end(UpstreamError(f"`{self._provider_id}` was stopped", provider_id=self._provider_id))
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()


@cache
def _shared_context() -> ssl.SSLContext:
    """One context for all providers: loading the certificates costs 10 ms and a megabyte each time."""
    return ssl.create_default_context()


@lru_cache(256)
def _client_timeout(timeouts: Timeouts, *, waits: bool) -> aiohttp.ClientTimeout:
    """waits: whether a call may have to wait for a connection that another one has."""
    return aiohttp.ClientTimeout(
        total=None, connect=timeouts.read_s if waits else None, sock_connect=timeouts.connect_s,
        sock_read=timeouts.first_byte_s or timeouts.read_s,
    )  # fmt: skip


async def _in_time(
    asking: Awaitable[aiohttp.ClientResponse], until: float | None, upload: Upload | None
) -> aiohttp.ClientResponse:
    """An answer by `until`, of the event loop's clock, for a body in parts that are watched meanwhile. Raises
    TimeoutError.
    """
    try:
        async with asyncio.timeout_at(until) as limit:
            if upload is not None:
                upload.limit = limit
            response = await asking
    except BaseException:
        if upload is not None:
            await upload.close()
        raise
    if upload is not None:
        upload.limit = None
    return response


def _limit_silence(response: aiohttp.ClientResponse, read_s: float) -> None:
    """aiohttp has one limit for the time to the first byte and the silence after it."""
    protocol = response.connection.protocol if response.connection is not None else None
    if protocol is not None:
        protocol.read_timeout = read_s
        protocol.start_timeout()
