"""The one way out: every call to another server goes through a provider's `HttpClient`.

`send` answers with an `Exchange` once the upstream's headers are there; a refusal is raised in our own errors, naming
the provider.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runtime.context import current
from runtime.errors import UpstreamError
from runtime.http.live import LiveTransport
from runtime.http.network import is_near
from runtime.http.refusals import Call, vendor_error
from runtime.http.streams import Ending, open_stream
from runtime.http.transport import Exchange, Outgoing, Timeouts, Transport, host_of
from runtime.sse import BYTE_ORDER_MARK, EventStream, Frames, Json, Reply, decode, is_json_object

_PACKED = ("gzip", "x-gzip", "deflate", "br", "zstd", "compress")


class HttpClient:
    """A provider's connections. Raises UpstreamError (502), UpstreamTimeout (504) and UpstreamRejected (the vendor's
    own 4xx).

    failed_calls: how many have met no answer, by which its owner notices that the upstream may be lost.
    """

    def __init__(
        self, provider_id: str, *, timeouts: Timeouts | None = None, transport: Transport | None = None
    ) -> None:
        self._provider_id = provider_id
        self._timeouts = timeouts or Timeouts()
        self._transport = transport or LiveTransport(provider_id)
        self.failed_calls = 0
        self._last_url = ""

    @property
    def is_near(self) -> bool:
        """Whether what it called last is on this machine, or in a private network."""
        return is_near(host_of(self._last_url))

    async def send(self, request: Outgoing) -> Exchange:
        """The answer, once its headers are there and its status is one of success.

        A redirection is not followed, since our key would go with it: it is a 502. So is a compressed answer, which
        nobody asked for.
        """
        headers = {"x-request-id": current().request_id, **request.headers}
        sent = replace(request, headers=headers)
        self._last_url = request.url
        try:
            exchange = await self._transport.send(sent, request.timeouts or self._timeouts)
        except UpstreamError:
            self.failed_calls += 1
            raise
        encoding = exchange.headers.get("content-encoding", "").lower()
        if exchange.status < 300 and encoding not in _PACKED:  # some name a charset there
            return exchange
        call = self._call(request, exchange)
        try:
            if exchange.status < 300:
                raise call.failed(f"answered {call.place} with content encoding `{encoding}`, which was not asked for")
            raise await call.refusal(exchange)
        finally:
            await exchange.close()

    async def reply(self, request: Outgoing, *, member: str = "") -> Reply:
        """A whole JSON object as it came; what is none, such as a proxy's page or a NaN in it, is a 502, and so is one
        that tells an error, or has no such member.
        """
        exchange = await self.send(request)
        try:
            body = (await exchange.read()).removeprefix(BYTE_ORDER_MARK)
        finally:
            await exchange.close()
        if not is_json_object(body):
            raise self._call(request, exchange).no_json(exchange.status, exchange.headers, body, wanted="JSON")
        if b'"error"' in body and decode(body).get("error"):
            raise self._call(request, exchange).told(vendor_error(body))
        if member and f'"{member}"'.encode() not in body:
            wanted = f"`{member}` in its JSON"
            raise self._call(request, exchange).no_json(exchange.status, exchange.headers, body, wanted=wanted)
        return Reply(body)

    async def stream(
        self, request: Outgoing, *, ending: Ending, whole: Callable[[Json], Frames | None] | None = None
    ) -> EventStream:
        """The answer's server-sent events, up to its end by its own protocol. The first event has come when this
        returns, so that a failure before it is raised; closing the iterator ends the call.

        ending: what makes the stream complete. whole: makes one answer in JSON, where a server does not stream, into
        events; None from it means that it is no answer.
        """
        exchange = await self.send(replace(request, is_stream=True))
        try:
            return await open_stream(exchange, self._call(request, exchange), ending=ending, whole=whole)
        except BaseException:
            await exchange.close()
            raise

    async def close(self) -> None:
        await self._transport.close()

    def _call(self, request: Outgoing, exchange: Exchange) -> Call:
        return Call(self._provider_id, request, by_way_of=exchange.by_way_of)
