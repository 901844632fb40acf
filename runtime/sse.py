"""Server-sent events as bytes first: what an inference stream yields and what a whole answer is. Imports nothing
else of ours.

`Frames` is what one read brought: whole SSE events, undecoded. Whoever only passes them on writes `data`; whoever looks
inside asks for `events()`. `Reply` is the same for an answer that is not streamed. Wire format: WHATWG HTML, 9.2.6.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Any, Self

import msgspec

DONE = b"data: [DONE]\n\n"
Json = dict[str, Any]
encode = msgspec.json.Encoder().encode
"""JSON bytes of dicts, lists, scalars and msgspec Structs."""
_decode = msgspec.json.Decoder().decode


def decode(data: bytes) -> Json:
    """The JSON object in `data`. Raises msgspec.DecodeError for what is no JSON, or nested beyond all reason, and
    TypeError for what is no object.
    """
    try:
        value = _decode(data)
    except RecursionError as error:
        raise msgspec.DecodeError("nested too deeply") from error
    if not isinstance(value, dict):
        raise TypeError(f"expected a JSON object, got {type(value).__name__}")
    return value


class Frames:
    """Whole SSE events, as many as one read brought. data: the bytes as they go on the wire, ending in a blank line."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    @classmethod
    def of(cls, *events: object) -> Frames:
        """Frames from JSON-able objects (dicts or msgspec Structs), one `data:` event each."""
        return cls(b"".join(b"data: %b\n\n" % encode(event) for event in events))

    def events(self) -> list[Json]:
        """The JSON object of each event, in order; `[DONE]`, comments and empty keep-alives are not among them.

        Raises msgspec.DecodeError where a vendor sent something else.
        """
        return [_decode(payload) for payload in payloads(self.data) if payload not in (b"[DONE]", b"")]


class Reply:
    """A whole JSON answer as bytes. data: what goes on the wire; value(): the same, decoded (each call decodes)."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    @classmethod
    def of(cls, value: object) -> Reply:
        return cls(encode(value))

    def value(self) -> Json:
        return decode(self.data)


class EventStream:
    """What a streamed inference call returns: Frames as they come. Whoever holds it reads it to its end or closes it.

    frames: usually an async generator. close: what to release; called once, however it ends: at the end, by an error,
    by cancellation, and also when nothing was ever asked for, which a generator's own `finally` would not notice.
    """

    __slots__ = ("_close", "_frames")

    def __init__(self, frames: AsyncGenerator[Frames, None], close: Callable[[], Awaitable[None]]) -> None:
        self._frames = frames
        self._close: Callable[[], Awaitable[None]] | None = close

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frames:
        try:
            return await anext(self._frames)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Ends the upstream call, or gives back what served it. A second call does nothing."""
        close, self._close = self._close, None
        if close is not None:
            try:
                await self._frames.aclose()
            finally:
                await close()

    def map(self, change: Callable[[Frames], Frames]) -> EventStream:
        """The same stream with every item changed; closing it closes this one."""

        async def changed() -> AsyncGenerator[Frames, None]:
            async for frames in self:
                yield change(frames)

        return EventStream(changed(), self.aclose)


_ENDED = re.compile(rb"data: ?\[DONE\]\s*(?::[^\n]*\n\s*)*\Z")  # comments may follow it
_LAST = 128


def without_done(data: bytes) -> bytes | None:
    """`data` without the `[DONE]` that it ends with, however a vendor spells it; None where it does not end so."""
    start = max(0, len(data) - _LAST)
    if data.find(b"[DONE]", start) < 0:
        return None
    found = _ENDED.search(data, start)
    return data[: found.start()] if found else None


def payloads(data: bytes) -> Iterable[bytes]:
    """The payload of each event in `data`; several `data:` lines of one event are joined by newlines, as the format
    says.
    """
    for block in data.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
        if lines:
            yield lines[0] if len(lines) == 1 else b"\n".join(lines)


class Splitter:
    """Cuts a byte stream into Frames at event boundaries: `feed` returns the whole events so far, the rest waits."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Frames | None:
        """The events that are complete now, or None. data: what one read brought, cut anywhere."""
        if self._rest:
            data = self._rest + data
        # A blank line ends an event. Lines end in LF or CRLF, and a proxy that adds its own comments mixes them.
        end = data.rfind(b"\n\n") + 2
        if b"\r" in data and (at := data.rfind(b"\n\r\n")) >= 0:
            end = max(end, at + 3)
        if end < 2:
            self._rest = data
            return None
        if end == len(data):
            self._rest = b""
            return Frames(data)
        self._rest = data[end:]
        return Frames(data[:end])

    def rest(self) -> Frames | None:
        """What the stream's end left over: a last event without its blank line, which is given one."""
        rest, self._rest = self._rest.rstrip(b"\r\n"), b""
        return Frames(rest + b"\n\n") if rest else None
