"""Reads an answer of ConverseStream: its events as they arrive, its failures as errors of ours."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

from runtime.amazon_events import Damaged, Message, Splitter
from runtime.apis.inference.sense import making_sense
from runtime.context import current
from runtime.errors import UpstreamError
from runtime.http.client import HttpClient
from runtime.http.refusals import Call
from runtime.http.transport import Outgoing
from runtime.http.vendor_errors import vendor_error
from runtime.providers.inference.bedrock.chunks import Chunks
from runtime.sse import EventStream, Frames, Json, decode

_STATUSES = {
    "throttlingexception": 429,
    "modelnotreadyexception": 429,
    "validationexception": 400,
    "modeltimeoutexception": 408,
    "internalserverexception": 500,
    "modelstreamerrorexception": 502,
    "serviceunavailableexception": 503,
}
"""What they would be, had the answer not begun. https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html"""


async def converse_stream(http: HttpClient, request: Outgoing, chunks: Chunks) -> EventStream:
    """The chunks of an answer; returns when the first have arrived, so that an earlier failure is raised here. Raises
    what `http` raises.
    """
    exchange = await http.send(request)
    call = Call(chunks.provider_id, request, proxy=exchange.proxy, key_hint="")
    frames = _frames(exchange.chunks(), chunks, call)
    try:
        with current().timing:
            first = await anext(frames)
    except BaseException:
        await exchange.close()
        raise
    return EventStream(frames, exchange.close, first=first)


async def _frames(reads: AsyncIterator[bytes], chunks: Chunks, call: Call) -> AsyncGenerator[Frames, None]:
    """Never empty. Raises UpstreamError for a stream that is damaged, reports a failure or ends before its answer."""
    splitter = Splitter()
    while True:
        try:
            read = await anext(reads, None)
        except UpstreamError:
            if not chunks.is_complete:
                raise
            return  # the whole answer has arrived; only the connection ended badly
        if read is None:
            break
        made: list[Json] = []
        failure: UpstreamError | None = None
        try:
            for message in splitter.feed(read):
                if (failure := _failure(message, call)) is not None:
                    break
                with making_sense(chunks.provider_id):
                    made += chunks.of(message.name, decode(message.payload))
        except Damaged as error:
            failure = call.failed(f"sent {error} ({call.place})")
        if made:
            yield Frames.of(*made)
        if failure is not None:
            raise failure
    if not chunks.is_complete:
        words = f"broke off its answer before it was complete ({call.place})"
        raise call.failed(words, code="upstream_incomplete")


def _failure(message: Message, call: Call) -> UpstreamError | None:
    """What an exception says, or an error, whose words are in its headers."""
    if message.kind == "event":
        return None
    said = vendor_error(message.payload)
    said = replace(said, type=message.name, message=said.message or message.headers.get(":error-message"))
    return call.status_error(_STATUSES.get(message.name.lower(), 502), said, body=message.payload)
