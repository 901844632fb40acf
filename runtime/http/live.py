"""The network: one aiohttp session for each provider. The only place that imports the outgoing HTTP library, and only
when something is sent, so that a stack without remote providers never loads it.

Why aiohttp: httpx's pool costs six times as much a request.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from runtime.errors import UpstreamError, UpstreamTimeout
from runtime.http.network import Proxy, proxy_for
from runtime.http.refusals import Call
from runtime.http.transport import Exchange, Outgoing, Timeouts

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

log = logging.getLogger(__name__)
_HEADER_BYTES = 64 * 1024
"""The longest header line of an answer: vendors send content security policies of 10 kB and more."""
_IDLE_S = {"http": 4.0, "https": 15.0}
"""How long a connection may lie idle and be used again. uvicorn (so vLLM), llama.cpp and Node close theirs after 5 s: a
POST that is sent at that moment is lost, and must not be sent again. Behind TLS connections are dear, and kept longer.
"""
_PROMISE = "max="
"""In a `Keep-Alive` header of cpp-httplib, which llama.cpp's server is made with: `timeout=5, max=100`. It closes a
moment after each stream all the same, and a request that is sent in that moment is lost.
"""
_BODY_BYTES = 512 * 1024 * 1024
"""The largest answer that is read as a whole; 2,048 long embeddings as text are a quarter of it."""


class LiveTransport:
    """Over the network. No limit on connections: streams hold theirs for long.

    Nothing is decompressed, and nothing compressed is asked for, since bodies are passed on. Proxies are taken from the
    environment, once for each server: aiohttp's own `trust_env` reads files in a thread at every request.
    """

    def __init__(self, provider_id: str) -> None:
        self._provider_id = provider_id
        self._sessions: dict[bool, aiohttp.ClientSession] = {}  # by whether a connection is used again
        self._closes_after_streams = False
        self._proxies: dict[tuple[str, str | None, int | None], Proxy] = {}
        self._noted = False

    async def send(self, request: Outgoing, timeouts: Timeouts) -> Exchange:
        """A request is sent once: a server that closes the connection may have worked on it. (aiohttp repeats a GET
        over a connection that had been idle, which does no harm.)
        """
        import aiohttp
        from yarl import URL

        is_kept = not (request.is_stream and self._closes_after_streams)
        session = self._sessions.get(is_kept)
        if session is None:
            idle_s = _IDLE_S["https" if request.url.startswith("https:") else "http"]
            session = self._sessions[is_kept] = _session(idle_s=idle_s if is_kept else None)
        call = Call(self._provider_id, request)
        proxy = Proxy()
        try:
            url = self._without_user(URL(request.url, encoded=True), request.headers)
            proxy = self._proxy(url, call)
            response = await session.request(
                request.method,
                url,
                headers=request.headers,
                data=request.body,
                proxy=proxy.url,
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=None, sock_connect=timeouts.connect_s, sock_read=timeouts.read_s
                ),
                allow_redirects=False,
                auto_decompress=False,
            )
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            raise _transport_error(call, error, proxy) from error
        self._closes_after_streams = self._closes_after_streams or _PROMISE in response.headers.get("keep-alive", "")
        if proxy.url and response.status == 407:
            response.close()
            raise _proxy_error(call, proxy, "it wants other credentials")
        # Behind TLS only the server itself can have answered.
        return _LiveExchange(call, response, by_way_of=_through(proxy) if url.scheme == "http" else "")

    def _proxy(self, url: URL, call: Call) -> Proxy:
        """Raises UpstreamError where the environment names a proxy that we cannot speak to: to go past it would send a
        request, and its key, where nobody meant them to go.
        """
        server = url.scheme, url.raw_host, url.port
        found = self._proxies.get(server)
        if found is None:
            self._proxies[server] = found = proxy_for(url.scheme, url.raw_host or "", url.port)
            if not found.is_usable:
                facts = {"provider_id": self._provider_id, "variable": found.variable}
                log.warning("the proxy of a variable cannot be used", extra=facts)
        if not found.is_usable:
            raise call.failed(
                f"cannot be reached through the proxy that {found.variable} names",
                code="proxy_not_usable",
                hint=f"name one as in `http://proxy.example:3128`, or add {url.raw_host} to `NO_PROXY`",
            )
        return found

    def _without_user(self, url: URL, headers: Mapping[str, str]) -> URL:
        """`user:password@` of an address becomes an `Authorization` header, and so does a key: only one can be sent."""
        if url.raw_user is None or "authorization" not in headers:
            return url
        if not self._noted:
            self._noted = True
            log.warning(
                "the user and the password of an address are not sent, its key is",
                extra={"provider_id": self._provider_id},
            )
        return url.with_user(None)

    async def close(self) -> None:
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()


class _LiveExchange:
    """An answer of aiohttp's."""

    __slots__ = ("_call", "_response", "by_way_of", "headers", "status")

    def __init__(self, call: Call, response: aiohttp.ClientResponse, *, by_way_of: str) -> None:
        self._call = call
        self._response = response
        self.by_way_of = by_way_of
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers

    async def read(self) -> bytes:
        parts, size = [], 0
        async for data in self.chunks():
            parts.append(data)
            size += len(data)
            if size > _BODY_BYTES:
                raise self._call.failed(f"answered with more than {_BODY_BYTES} bytes ({self._call.place})")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        import aiohttp

        read = self._response.content.readany
        try:
            while data := await read():
                yield data
        except (TimeoutError, aiohttp.ClientError) as error:
            raise _transport_error(self._call, error, Proxy()) from error

    async def close(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


def _session(*, idle_s: float | None) -> aiohttp.ClientSession:
    """idle_s: how long connections lie idle and are used again; None for not at all."""
    import aiohttp

    again: dict[str, Any] = {"force_close": True} if idle_s is None else {"keepalive_timeout": idle_s}
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=_tls(), ttl_dns_cache=60, **again),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("accept", "user-agent"),
        # Some servers compress unless they are told not to.
        headers={"user-agent": "llama-stack", "accept-encoding": "identity"},
        read_bufsize=256 * 1024,
        max_line_size=_HEADER_BYTES,
        max_field_size=_HEADER_BYTES,
    )


_shared_tls: ssl.SSLContext | None = None


def _tls() -> ssl.SSLContext:
    """One context for all providers: loading the certificates costs 10 ms and a megabyte each time."""
    global _shared_tls
    if _shared_tls is None:
        _shared_tls = ssl.create_default_context()
    return _shared_tls


def _transport_error(call: Call, error: Exception, proxy: Proxy) -> UpstreamError:
    """A call that failed below HTTP."""
    import aiohttp

    by_way_of = _through(proxy)
    if isinstance(error, TimeoutError):
        return UpstreamTimeout(
            f"`{call.provider_id}` did not answer in time ({call.place}{by_way_of})", provider_id=call.provider_id
        )
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        words = error.message if isinstance(error, aiohttp.ClientHttpProxyError) else _words(error.os_error)
        return _proxy_error(call, proxy, words)
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientConnectionResetError) or (
        isinstance(error, aiohttp.ClientOSError) and not isinstance(error, aiohttp.ClientConnectorError)
    ):
        return call.failed(
            f"closed the connection before it answered ({call.place}{by_way_of})",
            hint="it may have worked on the request; send it again where that does no harm",
        )
    if isinstance(error, aiohttp.ClientResponseError):
        return call.failed(f"sent an answer that is no HTTP ({call.place}{by_way_of}): {call.quoted(_said(error))}")
    if isinstance(error, aiohttp.ClientPayloadError):
        return call.failed(f"broke off its answer ({call.place}{by_way_of})")
    hint = "is it running, and is its address in the run config right?"
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError) or not isinstance(
        error, aiohttp.ClientError
    ):
        words = "that is no address of a server"
        hint = "an address begins with `http://` or `https://`, as in `http://localhost:8000/v1`"
    elif isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
        words = _words(error.os_error)
    else:
        words = str(error) or type(error).__name__
    return call.failed(f"cannot be reached at {call.place}{by_way_of}: {words}", code="upstream_unreachable", hint=hint)


def _through(proxy: Proxy) -> str:
    return f", through the proxy {proxy.shown}" if proxy.url else ""


def _proxy_error(call: Call, proxy: Proxy, words: str) -> UpstreamError:
    return call.failed(
        f"cannot be reached: the proxy {proxy.shown} failed: {words}",
        code="proxy_failed",
        hint="is the proxy right? servers that need none are listed in `NO_PROXY`",
    )


def _said(error: aiohttp.ClientResponseError) -> bytes:
    return error.message.encode("utf-8", "replace")


def _words(error: OSError) -> str:
    """asyncio puts an address and a port, as Python writes them, where the system's own words should be."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__
