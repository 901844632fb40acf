"""The one way out: every call to another server goes through a provider's `HttpClient`.

`send` answers with an `Exchange` once the upstream's headers are there; a refusal is raised in our own errors, naming
the provider.
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.context import current
from runtime.http.live import LiveTransport
from runtime.http.refusals import Call, vendor_error
from runtime.http.streams import Ending, open_stream
from runtime.http.transport import Exchange, Outgoing, Timeouts, Transport
from runtime.sse import EventStream, Frames, Json, Reply, decode, is_json_object


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

        A redirection is not followed, since our key would go with it: it is a 502. So is a compressed answer, which
        nobody asked for.
        """
        headers = {"x-request-id": current().request_id, **request.headers}
        sent = Outgoing(method=request.method, url=request.url, headers=headers, body=request.body)
        exchange = await self._transport.send(sent, request.timeouts or self._timeouts)
        encoding = exchange.headers.get("content-encoding", "identity")
        if exchange.status < 300 and encoding.lower() == "identity":
            return exchange
        call = self._call(request, exchange)
        try:
            if exchange.status < 300:
                raise call.failed(f"answered {call.place} with content encoding `{encoding}`, which was not asked for")
            raise await call.refusal(exchange)
        finally:
            await exchange.close()

    async def read(self, request: Outgoing) -> bytes:
        """The whole body of the answer."""
        return (await self._read(request))[1]

    async def reply(self, request: Outgoing, *, member: str = "") -> Reply:
        """A whole JSON object as it came; what is none, such as a proxy's page or a NaN in it, is a 502, and so is one
        that tells an error, or has no such member.
        """
        exchange, body = await self._read(request)
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
        exchange = await self.send(request)
        try:
            return await open_stream(exchange, self._call(request, exchange), ending=ending, whole=whole)
        except BaseException:
            await exchange.close()
            raise

    async def close(self) -> None:
        await self._transport.close()

    def _call(self, request: Outgoing, exchange: Exchange) -> Call:
        return Call(self._provider_id, request, by_way_of=exchange.by_way_of)

    async def _read(self, request: Outgoing) -> tuple[Exchange, bytes]:
        exchange = await self.send(request)
        try:
            return exchange, await exchange.read()
        finally:
            await exchange.close()
