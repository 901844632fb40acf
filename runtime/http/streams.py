"""Reads an answer as server-sent events: checks that it is a stream, and that it is complete.

Only the bytes count, not the headers: an HTML page sent as `text/event-stream`, an empty 200, an answer that ends early
and an event that reports an error are all failures of the upstream. Knows no vendor: an `Ending` decides when a stream
is complete. Wire format: WHATWG HTML, 9.2.6.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Protocol

from runtime.errors import UpstreamError
from runtime.http.events import Splitter, as_comments, failure_in, until_done
from runtime.http.half_characters import Halves, with_whole_characters
from runtime.http.refusals import Call, beginning_of
from runtime.http.transport import Exchange
from runtime.http.vendor_errors import states_error
from runtime.sse import BYTE_ORDER_MARK, EventStream, Frames, Json, decode, payloads

_FIELDS = (b"data", b"event", b"id", b"retry")
_DOCUMENT_BYTES = 64 * 1024 * 1024
_FIRST_EVENT_S = 10.0
"""How long comments before the first event are held back; some vendors send them to keep a connection open."""
_LINGER_S = 0.25
"""How long we read on after `[DONE]`, so that the connection can be used again."""


class Ending(Protocol):
    """Decides when a stream is complete, in addition to `[DONE]`, which ends every stream. is_complete: whether the
    stream may end now.
    """

    @property
    def is_complete(self) -> bool: ...

    def see(self, data: bytes) -> None:
        """Called with the events of each read."""
        ...


async def open_stream(
    exchange: Exchange, call: Callable[[], Call], *, ending: Ending, whole: Callable[[Json], Frames | None] | None
) -> EventStream:
    """The events of an answer; returns when the first one has arrived. Raises UpstreamError for what is not a stream,
    and for a first event that reports an error. Closing the stream closes the exchange; if this raises, the caller
    must.

    call: called only for errors.
    """
    reads = exchange.chunks()
    begun = await _beginning(reads)
    if not _is_stream(begun):
        return EventStream(_one(await _document(begun, reads, exchange, call(), whole)), exchange.close)
    events = _events(begun, reads, call, ending)
    return EventStream(events, exchange.close, first=await _first(events))


async def _beginning(reads: AsyncIterator[bytes]) -> bytes:
    """As much of the body as we need to see whether it is a stream."""
    begun = b""
    async for data in reads:
        begun += data
        head = _head(begun)
        if not head:
            begun = b""  # blank lines, which some servers send to keep a connection open
        elif not any(start.startswith(head) for start in (*_FIELDS, BYTE_ORDER_MARK)):
            break
    return begun


def _is_stream(begun: bytes) -> bool:
    """Whether the body begins with a comment or a field."""
    head = _head(begun)
    return head.startswith(b":") or any(
        head == field or head.startswith((field + b":", field + b"\n")) for field in _FIELDS
    )


def _head(begun: bytes) -> bytes:
    """The beginning of the first line that is not blank."""
    return begun.removeprefix(BYTE_ORDER_MARK).lstrip()[:8].replace(b"\r", b"\n")


async def _document(
    begun: bytes,
    reads: AsyncIterator[bytes],
    exchange: Exchange,
    call: Call,
    whole: Callable[[Json], Frames | None] | None,
) -> Frames:
    """The events of an answer that is not a stream but one JSON object. Raises an error that quotes anything else."""
    if not _head(begun).startswith(b"{"):  # its beginning is enough for a quote
        raise call.not_json(exchange.status, exchange.headers, await beginning_of(reads, begun), wanted="a stream")
    parts, size = [begun], len(begun)
    async for data in reads:
        parts.append(data)
        size += len(data)
        if size > _DOCUMENT_BYTES:
            raise call.too_large(_DOCUMENT_BYTES)
    body = with_whole_characters(b"".join(parts))
    try:
        value = decode(body)
    except (ValueError, TypeError):
        raise call.not_json(exchange.status, exchange.headers, body, wanted="a stream") from None
    if states_error(value):
        raise call.stated_error(body)
    frames = whole(value) if whole else None
    if frames is None:
        raise call.not_json(exchange.status, exchange.headers, body, wanted="a stream")
    return frames


async def _events(
    begun: bytes, reads: AsyncIterator[bytes], call: Callable[[], Call], ending: Ending
) -> AsyncGenerator[Frames, None]:
    """The events as they arrive, without `[DONE]`. Raises UpstreamError for an event that reports an error, and for a
    stream that ends before it is complete.
    """
    split, halves = Splitter(), Halves()
    data: bytes | None = begun
    while True:
        try:
            received = _whole(split, data)
        except ValueError as error:
            raise call().failed(f"sent an event that is too large ({call().place})") from error
        events, is_done = until_done(received)
        events = halves.joined(as_comments(events))
        failure = failure_in(events)
        if failure is not None:
            if failure.before:
                yield Frames(failure.before)
            raise _error_in(failure.payload, call())
        ending.see(events)
        if events:
            yield Frames(events)
        if is_done:
            await _to_the_end(reads)
            return
        if data is None:
            break
        try:
            data = await anext(reads)
        except StopAsyncIteration:
            data = None
        except UpstreamError:
            if not ending.is_complete:
                raise
            data = None  # the whole answer has arrived; only the connection ended badly
    if not ending.is_complete:
        words = f"broke off its answer before it was complete ({call().place})"
        raise call().failed(words, code="upstream_incomplete")


def _whole(split: Splitter, data: bytes | None) -> bytes:
    """The events that this read completes. data: None at the end of the body; then the rest after the last blank line,
    if it is a whole event, or a page of HTML for the message.
    """
    if data is not None:
        frames = split.feed(data)
        return frames.data if frames else b""
    rest = split.rest()
    last, is_done = until_done(rest)
    return rest if is_done or _is_event(last) or last.lstrip().startswith(b"<") else b""


async def _to_the_end(reads: AsyncIterator[bytes]) -> None:
    """Read what follows `[DONE]`, so that the connection can be used again."""
    try:
        async with asyncio.timeout(_LINGER_S):
            async for _ in reads:
                pass
    except (TimeoutError, UpstreamError):
        pass


def _is_event(rest: bytes) -> bool:
    """Whether the rest after the last blank line is a whole event."""
    try:
        return [decode(payload) for payload in payloads(rest)] != []
    except (ValueError, TypeError):
        return False


def _error_in(payload: bytes, call: Call) -> UpstreamError:
    try:
        decode(payload)
    except TypeError:  # JSON, but not an object
        pass
    except ValueError:
        return call.failed(f"sent an event that is not JSON: {call.quoted(payload)}")
    return call.stated_error(payload)


async def _first(events: AsyncGenerator[Frames, None]) -> Frames | None:
    """The first event, or after a long wait also a comment. Earlier comments are dropped."""
    until = time.monotonic() + _FIRST_EVENT_S
    async for frames in events:
        if any(payloads(frames.data)) or time.monotonic() > until:
            return frames
    return None


async def _one(frames: Frames) -> AsyncGenerator[Frames, None]:
    yield frames
