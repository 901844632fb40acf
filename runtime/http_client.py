"""The one way out: every call to another server goes through a provider's `HttpClient`.

`send` answers with an `Exchange` once the upstream's headers are there; a refusal is raised in our own errors, naming
the provider. The outgoing HTTP library is imported here only, and only when something is sent: a stack without remote
providers never loads it. Below `HttpClient` is one seam, `Transport.send(request) -> Exchange`, where live calls,
recordings and injected faults take each other's place.
"""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from runtime.context import current
from runtime.errors import UpstreamError, UpstreamRejected, UpstreamTimeout
from runtime.sse import EventStream, Frames, Json, Reply, Splitter, decode, encode

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

log = logging.getLogger(__name__)
_ERROR_BODY_LIMIT = 64 * 1024
_SECRET_LENGTH = 6
"""Shorter values of a header are words, not keys."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """In seconds. read_s: the longest silence between two reads, which for a stream is the time to the next token."""

    connect_s: float = 10.0
    read_s: float = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """A request to another server. timeouts: None takes the client's own."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeouts: Timeouts | None = None


class Exchange(Protocol):
    """An answer whose headers have come and whose body is still on its way. Whoever holds it closes it."""

    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, as much at a time as one read brings."""
        ...

    async def close(self) -> None:
        """Give the connection back, or end it where the body was not read to its end."""
        ...


class Transport(Protocol):
    """How a request reaches its server: over the network, from a recording, or not at all."""

    async def send(self, request: Outgoing, timeouts: Timeouts) -> Exchange: ...

    async def close(self) -> None: ...


class HttpClient:
    """A provider's connections. Raises UpstreamError (502), UpstreamTimeout (504) and UpstreamRejected (the vendor's
    own 4xx).
    """

    def __init__(
        self, provider_id: str, *, timeouts: Timeouts | None = None, transport: Transport | None = None
    ) -> None:
        self._provider_id = provider_id
        self._timeouts = timeouts or Timeouts()
        self._transport = transport or LiveTransport(provider_id)

    async def send(self, request: Outgoing) -> Exchange:
        """The answer, once its headers are there and its status is one of success.

        A redirection is not followed, since our key would go with it: it is a 502.
        """
        headers = {"x-request-id": current().request_id, **request.headers}
        sent = Outgoing(method=request.method, url=request.url, headers=headers, body=request.body)
        exchange = await self._transport.send(sent, request.timeouts or self._timeouts)
        if exchange.status < 300:
            return exchange
        try:
            if exchange.status < 400:
                raise self._redirected(exchange)
            raise await self._refusal(exchange, request)
        finally:
            await exchange.close()

    async def read(self, request: Outgoing) -> bytes:
        """The whole body of the answer."""
        exchange = await self.send(request)
        try:
            return await exchange.read()
        finally:
            await exchange.close()

    async def reply(self, request: Outgoing) -> Reply:
        """A whole JSON object as it came. Looked at only as far as to tell it from a proxy's page: that is a 502."""
        body = await self.read(request)
        if not (body.lstrip()[:1] == b"{" and body.rstrip()[-1:] == b"}"):
            raise UpstreamError(
                f"`{self._provider_id}` answered {_place(request.url)} with no JSON", provider_id=self._provider_id
            )
        return Reply(body)

    async def stream(self, request: Outgoing) -> EventStream:
        """The answer's server-sent events. The status is known when this returns; closing the iterator ends the call.

        Some vendors refuse with status 200 and a JSON body: that is an UpstreamError too.
        """
        exchange = await self.send(request)
        if not exchange.headers.get("content-type", "").startswith("application/json"):
            return EventStream(_frames(exchange), exchange.close)
        try:
            said = _vendor_error(await _beginning(exchange)).get("message")
        finally:
            await exchange.close()
        words = _without_secrets(said, request) if isinstance(said, str) else "one document"
        raise UpstreamError(
            f"`{self._provider_id}` answered a request for a stream with no stream: {words}",
            provider_id=self._provider_id,
        )

    async def get_json(self, url: str, *, headers: Mapping[str, str], timeouts: Timeouts | None = None) -> Json:
        """A JSON object. An answer that is none is the upstream's fault: 502."""
        body = await self.read(Outgoing(method="GET", url=url, headers=headers, timeouts=timeouts))
        try:
            return decode(body)
        except (ValueError, TypeError) as error:
            raise UpstreamError(
                f"`{self._provider_id}` answered {_place(url)} with no JSON", provider_id=self._provider_id
            ) from error

    async def close(self) -> None:
        await self._transport.close()

    def _redirected(self, exchange: Exchange) -> UpstreamError:
        where = exchange.headers.get("location")
        return UpstreamError(
            f"`{self._provider_id}` answered {exchange.status}, a redirection{f' to {_place(where)}' if where else ''}",
            provider_id=self._provider_id,
            upstream_status=exchange.status,
            hint="redirections are not followed: is its address in the run config right?",
        )

    async def _refusal(self, exchange: Exchange, request: Outgoing) -> UpstreamError:
        body = await _beginning(exchange)
        said = _vendor_error(body)
        told = said.get("message")
        words = told if isinstance(told, str) and told else body.decode("utf-8", "replace").strip()[:500]
        words = _without_secrets(words, request) or "no reason given"
        message = f"`{self._provider_id}` answered {exchange.status}: {words}"
        kept = {name: exchange.headers[name] for name in ("retry-after",) if name in exchange.headers}
        code = said.get("code") if isinstance(said.get("code"), str) else None
        param = said.get("param") if isinstance(said.get("param"), str) else None
        if exchange.status < 500:
            return UpstreamRejected(
                message,
                provider_id=self._provider_id,
                upstream_status=exchange.status,
                type=said.get("type") if isinstance(said.get("type"), str) else None,
                code=code or ("upstream_refused_key" if exchange.status in (401, 403) else None),
                param=param,
                headers=kept,
                hint=f"the key of provider `{self._provider_id}` was not accepted"
                if exchange.status in (401, 403)
                else None,
            )
        failure = UpstreamTimeout if exchange.status == 504 else UpstreamError
        error = failure(
            message,
            provider_id=self._provider_id,
            upstream_status=exchange.status,
            code=code,
            param=param,
            headers=kept,
        )
        if exchange.status == 503:
            error.status = 503
        return error


def json_request(url: str, body: Json, *, headers: Mapping[str, str], timeouts: Timeouts | None = None) -> Outgoing:
    """A POST of one JSON object."""
    typed = {"content-type": "application/json", **headers}
    return Outgoing(method="POST", url=url, headers=typed, body=encode(body), timeouts=timeouts)


async def _frames(exchange: Exchange) -> AsyncGenerator[Frames, None]:
    split = Splitter()
    async for data in exchange.chunks():
        frames = split.feed(data)
        if frames is not None:
            yield frames
    if (last := split.rest()) is not None:
        yield last


async def _beginning(exchange: Exchange) -> bytes:
    """As much of an error's body as is worth reading; what does not arrive is not missed."""
    body = b""
    with contextlib.suppress(UpstreamError):
        async for data in exchange.chunks():
            body += data
            if len(body) >= _ERROR_BODY_LIMIT:
                break
    return body[:_ERROR_BODY_LIMIT]


def _without_secrets(words: str, request: Outgoing) -> str:
    """A vendor may quote the key that it refused."""
    for name, value in request.headers.items():
        secret = value.removeprefix("Bearer ")
        if name.lower() != "content-type" and len(secret) >= _SECRET_LENGTH:
            words = words.replace(secret, "********")
    return words


def _place(url: str) -> str:
    """An address as it may be shown: without user, password and query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _vendor_error(body: bytes) -> dict[str, Any]:
    """The `error` object of a vendor's answer; some put a string or the message there, some spread it at the top."""
    try:
        value = decode(body)
    except (ValueError, TypeError):
        return {}
    said = value.get("error", value.get("detail", value))
    if isinstance(said, str):
        return {"message": said}
    return said if isinstance(said, dict) else {}


class _Way:
    """How a request went out. is_reused: over a connection that an earlier request had left open."""

    __slots__ = ("is_reused",)

    def __init__(self) -> None:
        self.is_reused = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Proxy:
    """How a server is reached. url: through this proxy, None for directly. unusable: the variable that names a proxy
    which is none, or to which we cannot speak.
    """

    url: str | None = None
    unusable: str | None = None


def _proxy_for(url: URL) -> _Proxy:
    """What `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` say of a server, in small letters or capitals."""
    from urllib.request import getproxies, proxy_bypass

    named = getproxies()
    kind = url.scheme if url.scheme in named else "all"
    if kind not in named or url.raw_host is None or proxy_bypass(f"{url.raw_host}:{url.port}"):
        return _Proxy()
    address = named[kind] if "://" in named[kind] else f"http://{named[kind]}"
    try:
        parts = urlsplit(address)
        if parts.scheme == "http" and parts.hostname and parts.port != 0:
            return _Proxy(url=address)
    except ValueError:  # a port that is none, half an IPv6 address
        pass
    names = [name for name in (f"{kind}_proxy", f"{kind}_proxy".upper()) if os.environ.get(name)]
    return _Proxy(unusable=names[0] if names else "the system's settings")


class LiveTransport:
    """Over the network, through one aiohttp session per provider, opened at the first request.

    Why aiohttp: httpx's pool costs six times as much a request. No limit on connections: streams hold theirs for long.
    Nothing is decompressed, and nothing compressed is asked for, since bodies are passed on. Proxies are taken from the
    environment, once for each host: aiohttp's own `trust_env` reads files in a thread at every request.
    """

    def __init__(self, provider_id: str) -> None:
        self._provider_id = provider_id
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[tuple[str, str | None, int | None], _Proxy] = {}

    async def send(self, request: Outgoing, timeouts: Timeouts) -> Exchange:
        import aiohttp

        if self._session is None:
            self._session = _session()
        while True:
            way = _Way()
            try:
                response = await self._request(self._session, request, timeouts, way)
            except (TimeoutError, aiohttp.ClientError, ValueError) as error:
                if way.is_reused and isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
                    continue  # the server had closed the idle connection as we wrote to it: it has seen nothing of this
                raise _transport_error(self._provider_id, request.url, error) from error
            return _LiveExchange(self._provider_id, request.url, response)

    async def _request(
        self, session: aiohttp.ClientSession, request: Outgoing, timeouts: Timeouts, way: _Way
    ) -> aiohttp.ClientResponse:
        import aiohttp
        from yarl import URL

        url = URL(request.url, encoded=True)
        return await session.request(
            request.method,
            url,
            headers=request.headers,
            data=request.body,
            proxy=self._proxy(url),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=None, sock_connect=timeouts.connect_s, sock_read=timeouts.read_s
            ),
            allow_redirects=False,
            auto_decompress=False,
            trace_request_ctx=way,
        )

    def _proxy(self, url: URL) -> str | None:
        """The proxy to reach this server through, or None. Raises UpstreamError where the environment names one that
        we cannot speak to: to go past it would send a request, and its key, where nobody meant them to go.
        """
        server = url.scheme, url.raw_host, url.port
        if server not in self._proxies:
            self._proxies[server] = found = _proxy_for(url)
            if found.unusable:
                facts = {"provider_id": self._provider_id, "variable": found.unusable}
                log.warning("the proxy of a variable cannot be used", extra=facts)
        if variable := self._proxies[server].unusable:
            raise UpstreamError(
                f"`{self._provider_id}` cannot be reached through the proxy that `{variable}` names",
                provider_id=self._provider_id,
                code="proxy_not_usable",
                hint=f"name one as in `http://proxy.example:3128`, or add {url.raw_host} to `NO_PROXY`",
            )
        return self._proxies[server].url

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class _LiveExchange:
    def __init__(self, provider_id: str, url: str, response: aiohttp.ClientResponse) -> None:
        self._provider_id = provider_id
        self._url = url
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def read(self) -> bytes:
        import aiohttp

        try:
            return await self._response.read()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise _transport_error(self._provider_id, self._url, error) from error

    async def chunks(self) -> AsyncIterator[bytes]:
        import aiohttp

        read = self._response.content.readany
        try:
            while data := await read():
                yield data
        except (TimeoutError, aiohttp.ClientError) as error:
            raise _transport_error(self._provider_id, self._url, error) from error

    async def close(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


def _session() -> aiohttp.ClientSession:
    import aiohttp

    async def reused(_: aiohttp.ClientSession, context: Any, __: aiohttp.TraceConnectionReuseconnParams) -> None:
        context.trace_request_ctx.is_reused = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(reused)
    connector = aiohttp.TCPConnector(limit=0, ssl=_tls(), ttl_dns_cache=60)
    return aiohttp.ClientSession(
        connector=connector,
        trace_configs=[trace],
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("accept-encoding", "accept", "user-agent"),
        headers={"user-agent": "llama-stack"},
        read_bufsize=256 * 1024,
    )


_shared_tls: ssl.SSLContext | None = None


def _tls() -> ssl.SSLContext:
    """One context for all providers: loading the certificates costs 10 ms and a megabyte each time."""
    global _shared_tls
    if _shared_tls is None:
        _shared_tls = ssl.create_default_context()
    return _shared_tls


def _transport_error(provider_id: str, url: str, error: Exception) -> UpstreamError:
    """A call that failed below HTTP."""
    import aiohttp

    place = _place(url)
    if isinstance(error, TimeoutError):
        return UpstreamTimeout(f"`{provider_id}` did not answer in time ({place})", provider_id=provider_id)
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError | aiohttp.ClientResponseError):
        return UpstreamError(f"`{provider_id}` broke off its answer ({place})", provider_id=provider_id)
    words = "not an address" if isinstance(error, aiohttp.InvalidURL) else str(error) or type(error).__name__
    return UpstreamError(
        f"`{provider_id}` cannot be reached at {place}: {words}",
        provider_id=provider_id,
        code="upstream_unreachable",
        hint="is it running, and is its address in the run config right?",
    )
