"""Calls to other servers: every one goes through a provider's `HttpClient`.

`send` returns an `Exchange` once the upstream's headers have arrived; a refusal is raised as one of our own errors,
which names the provider.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import copy
from functools import partial
from typing import Any, Self, TypeVar
from weakref import WeakValueDictionary

import msgspec

from runtime.context import current
from runtime.errors import StackError, UpstreamError, UpstreamUnreachable
from runtime.http.auth import Auth, NoAuth, Renews
from runtime.http.connections import Connections
from runtime.http.half_characters import with_whole_characters
from runtime.http.limits import passed_on
from runtime.http.network import Network
from runtime.http.refusals import Call
from runtime.http.renewals import Renewals
from runtime.http.streams import Ending, open_stream
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Between, Exchange, Outgoing, Transport, close_parts, server_of
from runtime.http.vendor_errors import states_error
from runtime.sse import BYTE_ORDER_MARK, EventStream, Frames, Json, Reply, decode, has_objects, is_json_object
from runtime.telemetry.attempts import end_attempt
from runtime.telemetry.spans import begin, current_span, reset_current, set_current

T = TypeVar("T")
_KEY_REFUSED = (401, 403)
_REDIRECTED = (301, 302, 303, 307, 308)
_COMPRESSED = ("gzip", "x-gzip", "deflate", "br", "zstd", "compress")


class HttpClient:
    """A provider's calls to its servers.

    A request that the upstream cannot have worked on is sent again, see `Retries`. Raises, in every call: UpstreamError
    (502), UpstreamUnreachable (503), UpstreamTimeout (504), UpstreamRejected (the vendor's own 4xx), and what
    the client's `Auth` raises; Unavailable once it is closed.

    network: the network settings of its config. transport: replaces the network, for tests. between: see `Between`.
    connections: shared by all clients that are made from this one. address: of the server that it was made for; empty
    for none.
    """

    def __init__(
        self,
        provider_id: str,
        *,
        network: Network | None = None,
        transport: Transport | None = None,
        between: Between | None = None,
    ) -> None:
        self.connections = Connections(provider_id, network, transport, between=between)
        self.address = ""
        self._auth: Auth = NoAuth()
        self._renewals = Renewals()
        self._timeouts = self.connections.limited(Timeouts())
        self._by_server: WeakValueDictionary[str, HttpClient] = WeakValueDictionary()

    def with_auth(self, auth: Auth, *, address: str = "", timeouts: Timeouts | None = None) -> Self:
        """A client with the same connections that authenticates its requests with `auth`. address: its server's.
        timeouts: for requests without their own, unless the provider's network settings have some.
        """
        client = copy(self)
        client._auth, client._renewals = auth, Renewals()
        if address:
            self.connections.note_server(address)
            client.address = address
            if server := server_of(address):
                self._by_server[server] = client
        if timeouts is not None:
            client._timeouts = self.connections.limited(timeouts)
        return client

    def for_others(self, *, only_public: bool, are_given: bool, called: str = "") -> HttpClient:
        """A client for servers that are not the provider's: without its keys and headers, closed with this one if not
        before. only_public: whether it connects to public addresses only; see `given_addresses.py`. are_given:
        whether users give the addresses, see `lookups.py`. called: what messages call these servers; by default what
        they call the provider.
        """
        client = copy(self)
        client.connections = self.connections.for_others(only_public=only_public, are_given=are_given, called=called)
        client._auth, client._renewals, client._timeouts = NoAuth(), Renewals(), Timeouts()
        client.address, client._by_server = "", WeakValueDictionary()
        return client

    def for_credentials(self, called: str) -> HttpClient:
        """A client for servers that give out keys and tokens, as `for_others`; nothing stands between it and them."""
        client = self.for_others(only_public=False, are_given=False, called=called)
        client.connections.between = None
        return client

    def by_server(self) -> dict[str, HttpClient]:
        """The clients that `with_auth` has made for an address, by its server: scheme, host and port. To each of them,
        and to no other, its keys may go.
        """
        return dict(self._by_server)

    @property
    def key_hint(self) -> str:
        """How its key is given, for messages; empty if it needs none."""
        return self._auth.hint

    async def send(self, request: Outgoing) -> Exchange:
        """The answer, once its headers have arrived, if its status is a success.

        A redirection is not followed, since our key would be sent along: it is a 502. So is a compressed answer, which
        we do not ask for.
        """
        return (await self._again(self._accepted, request))[1]

    async def exchange(self, request: Outgoing, *, redirects: bool = False) -> Exchange:
        """The answer with any status, once its headers have arrived, for callers that handle refusals themselves. A
        redirection is raised unless the caller wants it, since it could be followed with our key. Sent again only if
        nothing was sent.
        """
        sent, exchange = await self._again(self._answered, request)
        if not redirects and exchange.status in _REDIRECTED and "location" in exchange.headers:
            await exchange.close()
            raise await self._call(sent, exchange).refusal(exchange)
        return exchange

    async def reply(self, request: Outgoing, *, member: str = "", objects: str = "") -> Reply:
        """The bytes of a whole JSON object. An answer that is not one (a proxy's page, JSON with NaN), that reports an
        error, that has no `member`, or in which `objects` is not a list of objects is a 502.
        """
        sent, exchange, body = await self._whole(request)
        is_json, is_failure = is_json_object(body), False
        if is_json and b'"error"' in body:
            try:
                is_failure = states_error(decode(body))
            except ValueError:  # a number that no float can be
                is_json = False
        if not is_json:
            raise self._call(sent, exchange).not_json(exchange.status, exchange.headers, body, wanted="JSON")
        if is_failure:
            raise self._call(sent, exchange).stated_error(body)
        if member and f'"{member}"'.encode() not in body:
            wanted = f"`{member}` in its JSON"
            raise self._call(sent, exchange).not_json(exchange.status, exchange.headers, body, wanted=wanted)
        if objects and not has_objects(body, objects):
            wanted = f"list of objects as `{objects}` in its JSON"
            raise self._call(sent, exchange).not_json(exchange.status, exchange.headers, body, wanted=wanted)
        return Reply(body)

    async def value(self, request: Outgoing) -> Any:
        """The JSON of a whole answer, of any kind. What is not JSON or reports an error is a 502, as of `reply`."""
        sent, exchange, body = await self._whole(request)
        try:
            value = msgspec.json.decode(body)
        except (ValueError, RecursionError):
            raise self._call(sent, exchange).not_json(exchange.status, exchange.headers, body, wanted="JSON") from None
        if isinstance(value, dict) and states_error(value):
            raise self._call(sent, exchange).stated_error(body)
        return value

    async def stream(
        self, request: Outgoing, *, ending: Ending, whole: Callable[[Json], Frames | None] | None = None
    ) -> EventStream:
        """The answer's server-sent events. Returns when the first event has arrived, so that an earlier failure is
        raised here. Closing the iterator ends the call.

        ending: decides when the stream is complete. whole: converts a JSON answer into events, for servers that do not
        stream; it returns None if the JSON is not an answer.
        """
        sent, exchange = await self._again(self._accepted, request)
        try:
            with current().timing:
                return await open_stream(exchange, partial(self._call, sent, exchange), ending=ending, whole=whole)
        except BaseException:
            await exchange.close()
            raise

    async def close(self) -> None:
        await self.connections.close()

    async def _whole(self, request: Outgoing) -> tuple[Outgoing, Exchange, bytes]:
        """The request that was sent, its answer, and the answer's whole body."""
        sent, exchange = await self._again(self._accepted, request)
        try:
            with current().timing:
                body = (await exchange.read()).removeprefix(BYTE_ORDER_MARK)
                return sent, exchange, with_whole_characters(body)
        finally:
            await exchange.close()

    async def _accepted(self, request: Outgoing) -> tuple[Outgoing, Exchange]:
        """The request that was sent, and its answer. Raises for a refusal."""
        sent, exchange = await self._answered(request)
        encoding = exchange.headers.get("content-encoding", "").lower()
        if exchange.status < 300 and encoding not in _COMPRESSED:  # some servers put a charset there
            return sent, exchange
        call = self._call(sent, exchange)
        try:
            if exchange.status < 300:
                raise call.failed(f"answered {call.place} with content encoding `{encoding}`, which was not asked for")
            raise await call.refusal(exchange)
        finally:
            await exchange.close()

    async def _again(self, attempt: Callable[[Outgoing], Awaitable[T]], request: Outgoing) -> T:
        """What an attempt returns; after some failures that of a later attempt, see `Retries`."""
        if self.connections.between is not None and request.timeouts is None:  # it may have to know them
            request = msgspec.structs.replace(request, timeouts=self._timeouts)
        with current().timing:
            try:
                return await attempt(request)
            except UpstreamError as failure:
                if isinstance(failure, UpstreamUnreachable) and self.connections.is_down(request.url):
                    raise
                return await self.connections.retries.again(attempt, request, failure)

    async def _answered(self, request: Outgoing) -> tuple[Outgoing, Exchange]:
        """The request that was sent, and its answer with any status."""
        span = begin(request.method, {}, "client")
        if span is None:
            return await self._tried(request)
        status, token = 0, set_current(span)
        try:
            sent, exchange = await self._tried(request)
            status = exchange.status
            return sent, exchange
        except BaseException as error:
            span.fail(error)
            raise
        finally:
            reset_current(token)
            end_attempt(span, request.method, request.url, status)

    async def _tried(self, request: Outgoing) -> tuple[Outgoing, Exchange]:
        """`_answered`, whether or not it is looked at."""
        between, sent = self.connections.between, request
        try:
            if between is None:
                sent, exchange = await self._reached(request)
            else:

                async def go_on(request: Outgoing) -> Exchange:
                    nonlocal sent
                    sent, exchange = await self._reached(request)
                    return exchange

                exchange = await between(request, go_on)
                if sent is request and exchange.status in _KEY_REFUSED and not isinstance(self._auth, Renews):
                    with suppress(StackError):  # in a replay there need be none
                        sent = await self._auth.apply(request)  # it says whose key was refused
        except UpstreamError as error:
            self.connections.failed_calls += 1
            if isinstance(error, UpstreamUnreachable):
                self.connections.unreachable(request.url, error, is_serving=current().is_serving)
            raise
        self.connections.answered(request.url)
        if exchange.status < 300:
            current().headers.update(passed_on(exchange.headers, sent))
        return sent, exchange

    async def _reached(self, request: Outgoing) -> tuple[Outgoing, Exchange]:
        """The request as its server got it, and that one's answer with any status."""
        context = current()
        headers = {"x-request-id": context.request_id, **self.connections.headers}
        if (span := current_span()) is not None:
            span.put_context(headers)
        elif context.trace is not None:
            headers |= context.trace.context
        prepared = request.with_headers(headers)
        sent, exchange = await self._sent(prepared)
        if exchange.status == 401 and isinstance(self._auth, Renews):
            try:
                renewed = await self._renewals.renewed(self._auth, prepared, sent)
            except BaseException:
                await exchange.close()
                raise
            if renewed and isinstance(request.body, bytes | None):  # parts can be sent only once
                await exchange.close()
                sent, exchange = await self._sent(prepared)
        return sent, exchange

    async def _sent(self, request: Outgoing) -> tuple[Outgoing, Exchange]:
        """Authenticate a request and send it."""
        timeouts = self._timeouts if request.timeouts is None else self.connections.limited(request.timeouts)
        try:
            sent = await self._auth.apply(request)
            transport = self.connections.transport or self.connections.open()
            exchange = await transport.send(sent, timeouts)
        except BaseException:
            await close_parts(request.body)
            raise
        return sent, exchange

    def _call(self, sent: Outgoing, exchange: Exchange) -> Call:
        return Call(
            self.connections.provider_id,
            sent,
            proxy=exchange.proxy,
            key_hint=self._auth.hint,
            shows_paths=self.connections.shows_paths,
        )
