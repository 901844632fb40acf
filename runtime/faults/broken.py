"""Answers that break on their way: the connection of a stream ends in its middle, or what comes is not JSON.

Knows bytes and events, and no provider.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from runtime.amazon_events import MEDIA_TYPE as AMAZON
from runtime.faults.refusal import WORDS
from runtime.http.events import Splitter
from runtime.http.transport import EVENT_STREAM, NDJSON, Exchange
from runtime.sse import payloads

Change = Callable[[AsyncIterator[bytes]], AsyncGenerator[bytes, None]]
_STREAMS = (EVENT_STREAM, NDJSON, AMAZON)
_QUOTED = 200
_DATA = re.compile(rb"^data: ?", re.MULTILINE)
_LAST = 3
"""So many events at the end never pass where a stream is cut: with its `[DONE]`, its counts and its finish reason an
answer would be whole, however its connection ends.
"""


class Broken:
    """An answer whose body is changed on its way; implements `Exchange`."""

    def __init__(self, exchange: Exchange, change: Change) -> None:
        self.status, self.headers = exchange.status, exchange.headers
        self._exchange = exchange
        self._change = change

    @property
    def proxy(self) -> str:
        return self._exchange.proxy

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        async for piece in self._change(self._exchange.chunks()):
            yield piece

    async def close(self) -> None:
        await self._exchange.close()


def is_stream(kind: str) -> bool:
    return kind in _STREAMS


def is_json(kind: str) -> bool:
    return kind.endswith("json")


def cut(events: int, kind: str, error: Callable[[], Exception]) -> Change:
    """The connection ends in the middle of an event, after `events` others at most. error: what reading raises then."""

    async def change(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        held: deque[bytes] = deque()
        passed = 0
        async for event in _events_in(pieces) if kind == EVENT_STREAM else pieces:
            held.append(event)
            if len(held) > _LAST:
                if passed == events:
                    break
                yield held.popleft()
                passed += 1
        if held:
            yield _half(held[0])
        raise error()

    return change


def spoilt(kind: str) -> Change:
    """The beginning of a body, or of the JSON of a stream's second event, whose others pass; a stream that has none
    gets one.

    Where pieces are no events, since they are binary, the first one is halved: it may hold all of them.
    """
    is_text = kind == EVENT_STREAM
    spoilt_place, spoil = (2, _without_its_json) if is_text else (1, _half)

    async def change(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        if not is_stream(kind):
            yield _no_json(b"".join([piece async for piece in pieces]))
            return
        place = 0
        async for event in _events_in(pieces) if is_text else pieces:
            is_counted = any(payloads(event)) or not is_text
            place += is_counted
            yield spoil(event) if is_counted and place == spoilt_place else event
        if place < spoilt_place:
            yield _without_its_json(b"data: {}\n\n")

    return change


async def _events_in(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The events of a stream, one by one."""
    split = Splitter()
    async for piece in pieces:
        if (frames := split.feed(piece)) is not None:
            for event in frames.data.split(b"\n\n"):
                if event:
                    yield event + b"\n\n"
    if rest := split.rest():
        yield rest


def _without_its_json(event: bytes) -> bytes:
    """Its name stays, which can be longer than its JSON: half of the whole could be an event without any."""
    found = _DATA.search(event)
    start = found.end() if found else 0
    return event[:start] + _no_json(event[start:].rstrip(b"\n")) + b"\n\n"


def _no_json(data: bytes) -> bytes:
    """As it begins, and that this is a fault: what a message quotes says so."""
    return data[: min(len(data) // 2, _QUOTED)] + f": {WORDS}".encode()


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]
