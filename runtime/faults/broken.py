"""Answers that break on their way: the connection of a stream ends in its middle, or what comes is not JSON.

Knows bytes and events, and no provider.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from runtime.http.events import Splitter
from runtime.http.transport import EVENT_STREAM, Exchange
from runtime.sse import payloads

Change = Callable[[AsyncIterator[bytes]], AsyncGenerator[bytes, None]]
_STREAMS = (EVENT_STREAM, "application/vnd.amazon.eventstream")
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
    """Half of a body, or of a stream's second event, whose others pass."""

    async def change(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        if not is_stream(kind):
            yield _half(b"".join([piece async for piece in pieces]))
            return
        place = 0
        async for event in _events_in(pieces) if kind == EVENT_STREAM else pieces:
            place += any(payloads(event)) or kind != EVENT_STREAM
            yield event if place != 2 else _half(event).rstrip(b"\n") + b"\n\n"

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


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]
