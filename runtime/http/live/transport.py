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
"""The longest header line of an answer: some vendors send content security policies of more than 10 kB."""
IDLE_S = {"http": 4.0, "https": 15.0}
"""How long a connection may be idle before it is no longer used. uvicorn (so vLLM), llama.cpp and Node close theirs
after 5 s: a POST that is sent at that moment is lost, and must not be sent again. TLS connections cost more, and live
longer.
"""
_SINGLE_WRITE_BYTES = 256 * 1024
"""The largest body that is sent in one write. A larger one is sent in parts, so that we notice when a server stops
reading it.
"""
_NO_PROXY = Proxy()
_MAX_TARGETS = 256
"""How many addresses are remembered with their proxy."""
_CPP_HTTPLIB = "max="
"""Recognizes a `Keep-Alive` header of cpp-httplib, which llama.cpp's server uses: `timeout=5, max=100`. Despite this
header, it closes the connection shortly after each stream, and a request that is sent in that moment is lost. So the
connections to such a server are not used again.
"""


class LiveTransport:
    """Sends over the network. Without a limit on connections by default, since streams keep theirs for a long time.

    Never asks for compressed answers, and decompresses nothing, since bodies are passed on. The proxy of each address
    is looked up once: aiohttp's own `trust_env` reads files in a thread at every request.
    """

    def __init__(self, provider_id: str, network: Network | None = None) -> None:
        self._provider_id = provider_id
        self._network = network or Network()
        self._is_limited = self._network.limits is not None and self._network.limits.max_connections is not None
        self._sessions: dict[bool, aiohttp.ClientSession] = {}  # by whether its connections are used again
        self._exchanges: WeakSet[LiveExchange] = WeakSet()
        self._reuses_connections = True
        self._targets: dict[str, tuple[URL, Proxy]] = {}
        self._reported: set[str] = set()  # variables with a proxy that cannot be used, already logged
        self._tls_behind_proxy: ssl.SSLContext | bool = True
        self._is_user_reported = False

    async def send(self, request: Outgoing, timeouts: Timeouts) -> LiveExchange:
        """Send a request once, since a server that closes the connection may have processed it. (aiohttp repeats a GET
        over a connection that was idle, which does no harm.)

        Raises UpstreamError if there is no answer, UpstreamTimeout, and errors from the source of a body in parts.
        """
        until = None if timeouts.total_s is None else asyncio.get_running_loop().time() + timeouts.total_s
        is_small = isinstance(request.body, bytes | None) and len(request.body or b"") <= _SINGLE_WRITE_BYTES
        upload = None if is_small else Upload(request, timeouts, until)
        proxy = _NO_PROXY
        try:
            url, proxy = self._targets.get(request.url) or self._target_of(request)
            sending = self._request(request, url, proxy, timeouts, upload)
            response = await (sending if until is None and upload is None else _in_time(sending, until, upload))
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            if upload is not None and upload.failure is not None:
                raise upload.failure from None
            found = transport_error(self._call(request, proxy), error, proxy, request.headers)
            # Only an OSError is kept as the cause: others quote the address, which may contain a key, and a log shows
            # causes.
            raise found from error if isinstance(error, OSError) else None
        if timeouts.first_byte_s is not None:
            _limit_silence(response, timeouts.read_s)
        if _CPP_HTTPLIB in response.headers.get("keep-alive", ""):
            self._reuses_connections = False
        exchange = LiveExchange(self._provider_id, request, response, proxy, until, upload)
        self._exchanges.add(exchange)
        if response.status == 407 and proxy.url:
            await exchange.close()
            raise proxy_error(self._call(request, proxy), proxy, "it requires other credentials")
        return exchange

    def _request(
        self, request: Outgoing, url: URL, proxy: Proxy, timeouts: Timeouts, upload: Upload | None
    ) -> Awaitable[aiohttp.ClientResponse]:
        session = self._sessions.get(self._reuses_connections) or self._open_session(request)
        return session.request(
            request.method, url, proxy=proxy.url, ssl=self._tls_behind_proxy if proxy.url else True,
            headers=request.headers if upload is None else upload.headers,
            data=request.body if upload is None else upload,
            timeout=_client_timeout(timeouts, waits=self._is_limited),
            allow_redirects=False,
        )  # fmt: skip

    def _target_of(self, request: Outgoing) -> tuple[URL, Proxy]:
        """The address to call and its proxy; remembered for the next request to the same address."""
        url = URL(request.url, encoded=True)
        if url.raw_user is not None:
            return self._without_user(url, request), self._proxy(url, request)
        if len(self._targets) >= _MAX_TARGETS:
            self._targets.clear()
        target = self._targets[request.url] = url, self._proxy(url, request)
        return target

    def _proxy(self, url: URL, request: Outgoing) -> Proxy:
        """The proxy for an address. Raises UpstreamError if the environment names one that we cannot use: without it,
        the request and its key would be sent directly, against the user's settings.
        """
        found = proxy_for(url.scheme, url.raw_host or "", url.port, self._network.proxy)
        if not found.is_usable:
            if found.named_by not in self._reported:
                self._reported.add(found.named_by)
                log.warning(
                    "the proxy of a variable cannot be used",
                    extra={"provider_id": self._provider_id, "variable": found.named_by},
                )
            raise self._call(request, _NO_PROXY).failed(
                f"cannot be reached through the proxy that {found.named_by} names",
                code="proxy_not_usable",
                hint=f"name one as in `http://proxy.example:3128`, or add {url.raw_host} to `NO_PROXY`",
            )
        return found

    def _without_user(self, url: URL, request: Outgoing) -> URL:
        """The address, without `user:password@` if there is a key: both would be an `Authorization` header."""
        if "authorization" not in request.headers:
            return url
        if not self._is_user_reported:
            self._is_user_reported = True
            log.warning(
                "the user and password of an address are not sent, since there is a key",
                extra={"provider_id": self._provider_id},
            )
        return url.with_user(None)

    def _call(self, request: Outgoing, proxy: Proxy) -> Call:
        return Call(self._provider_id, request, proxy=shown(proxy))

    def _open_session(self, request: Outgoing) -> aiohttp.ClientSession:
        """Raises UpstreamError if the files of the TLS settings are no longer valid."""
        tls, proxy = self._network.tls, self._network.proxy
        try:
            if proxy is not None and proxy.cacert is not None:
                self._tls_behind_proxy = (tls or TlsSettings()).context(authorities=proxy.cacert)
            context = tls.context() if tls is not None else _shared_context()
        except ValueError as error:
            words = f"cannot be called: the TLS settings of its config: {error}"
            raise self._call(request, _NO_PROXY).failed(words, code="tls_settings") from error
        limits = self._network.limits or LimitSettings()
        idle_s = limits.keepalive_expiry
        if idle_s is None:
            idle_s = IDLE_S["https" if request.url.startswith("https:") else "http"]
        reuses = self._reuses_connections and limits.max_keepalive_connections != 0
        again: dict[str, Any] = {"keepalive_timeout": idle_s} if reuses else {"force_close": True}
        session = self._sessions[self._reuses_connections] = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limits.max_connections or 0, ssl=context, ttl_dns_cache=60, **again),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("accept", "user-agent"),
            # Some servers compress unless the request says not to.
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
    """waits: whether a call may have to wait until another one releases its connection."""
    return aiohttp.ClientTimeout(
        total=None, connect=timeouts.read_s if waits else None, sock_connect=timeouts.connect_s,
        sock_read=timeouts.first_byte_s or timeouts.read_s,
    )  # fmt: skip


async def _in_time(
    sending: Awaitable[aiohttp.ClientResponse], until: float | None, upload: Upload | None
) -> aiohttp.ClientResponse:
    """The answer of a request with a deadline or a body in parts. until: by the event loop's clock. upload: moves the
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


def _limit_silence(response: aiohttp.ClientResponse, read_s: float) -> None:
    """Set another limit after the first byte: aiohttp has one limit for the wait before it and for later silence."""
    protocol = response.connection.protocol if response.connection is not None else None
    if protocol is not None:
        protocol.read_timeout = read_s
        protocol.start_timeout()
