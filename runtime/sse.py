"""Server-sent events as bytes first: what an inference stream yields and what a whole answer is. Imports nothing
else of ours.

`Frames` is what one read brought: whole SSE events, undecoded. Whoever only passes them on writes `data`; whoever looks
inside asks for `events()`. `Reply` is the same for an answer that is not streamed. Wire format: WHATWG HTML, 9.2.6.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import msgspec

DONE = b"data: [DONE]\n\n"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
EVENT_BYTES = 32 * 1024 * 1024
"""No event of any vendor comes near; one that is larger has no end."""
Json = dict[str, Any]
encode = msgspec.json.Encoder().encode
"""JSON bytes of dicts, lists, scalars and msgspec Structs."""
_decode = msgspec.json.Decoder().decode
_check = msgspec.json.Decoder(msgspec.Raw).decode
_ERROR_EVENT = re.compile(rb"^event: ?error$", re.MULTILINE)


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


def is_json_object(data: bytes) -> bool:
    """Whether `data` is a whole JSON object, without making anything of it."""
    if data.lstrip()[:1] != b"{":
        return False
    try:
        _check(data)
        return data.isascii() or bool(data.decode())
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, and so is text that is no UTF-8
        return False


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

    def watched(self, observer: Observer) -> EventStream:
        """The same stream with somebody who notes how it goes; closing it closes this one.

        The observer's `ended` is awaited once, before anybody learns of the end: what it raises at a complete stream
        makes that a failure. A stream that nothing was asked of has been left.
        """
        told = False

        async def end(how: End, error: BaseException | None = None) -> None:
            nonlocal told
            if not told:
                told = True
                await observer.ended(how, error)

        async def noted() -> AsyncGenerator[Frames, None]:
            try:
                async for frames in self:
                    observer.read(frames)
                    yield frames
            except Exception as error:
                await end("failed", error)
                raise
            await end("complete")

        async def close() -> None:
            try:
                await self.aclose()
            finally:
                await end("left")

        return EventStream(noted(), close)


End = Literal["complete", "failed", "left"]
"""How a stream ended: by itself, by an error, or because its reader went away."""


class Observer(Protocol):
    """Who notes how a stream goes: a record of it, a metric, a quota."""

    def read(self, frames: Frames) -> None:
        """What one read brought, before it is passed on. Quick: everybody who streams waits for it."""
        ...

    async def ended(self, how: End, error: BaseException | None) -> None:
        """The stream is over; its reader learns of it when this returns. error: why it failed."""
        ...


def until_done(data: bytes) -> tuple[bytes, bool]:
    """The events before `[DONE]`, however a vendor spells it, and whether it was there; what follows it is no event.

    data: whole events with lines that end in LF, as `Splitter` makes them.
    """
    if data.endswith(b"\n\n" + DONE):  # as nearly all write it
        return data[: -len(DONE)], True
    at = data.find(b"[DONE]")
    while at >= 0:
        begin = data.rfind(b"\n", 0, at) + 1
        end = data.find(b"\n", at)
        # A line of its own: a JSON text that quotes it has other text around it, and no line break.
        if data[begin : end if end >= 0 else None].removeprefix(b"data:").strip(b" \t") == b"[DONE]":
            before = data.rfind(b"\n\n", 0, begin)
            start = before + 2 if before >= 0 else 0
            if any(payloads(data[start:begin])):  # events whose blank lines are missing
                return data[:start] + data[start:begin].replace(b"\ndata:", b"\n\ndata:") + b"\n", True
            return data[:start], True
        at = data.find(b"[DONE]", at + 1)
    return data, False


@dataclass(frozen=True, slots=True)
class Failure:
    """An event that tells an error, or is no JSON. before: the events ahead of it; payload: its `data`."""

    before: bytes
    payload: bytes


def failure_in(data: bytes) -> Failure | None:
    """The first event that tells an error or is no JSON; None in a stream that goes well.

    Only events that could be one are decoded. What is no JSON, and has no word of it, is found where it is the last of
    a read, as it usually is: to look for it at every event would cost as much as all else together.
    """
    looks_well = data.startswith(b"data: {") and data.endswith(b"}\n\n")
    if not data or (looks_well and not _may_fail(data)):
        return None
    before = 0
    for block in data.split(b"\n\n"):
        for payload in payloads(block):
            if _is_failure(block, payload):
                return Failure(data[:before], payload)
        before += len(block) + 2
    return None


def _may_fail(data: bytes) -> bool:
    # Single letters first: they are found ten times as fast as words, and rarely.
    if b"error" in data or (b"N" in data and b"NaN" in data) or (b"I" in data and b"Infinity" in data):
        return True
    try:
        return not (data.isascii() or data.decode())
    except UnicodeDecodeError:
        return True


def _is_failure(block: bytes, payload: bytes) -> bool:
    is_object = payload.startswith(b"{") and payload.endswith(b"}") and b"\n" not in payload
    if not payload or (is_object and not _may_fail(block)):
        return False
    try:
        event = _decode(payload)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, and so is text that is no UTF-8
        return True
    if _ERROR_EVENT.search(block):
        return True
    return isinstance(event, dict) and (bool(event.get("error")) or "error" in (event.get("object"), event.get("type")))


def payloads(data: bytes) -> Iterable[bytes]:
    """The payload of each event in `data`; several `data:` lines of one event are joined by newlines, as the format
    says.
    """
    for block in data.split(b"\n\n"):
        lines = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
        if lines:
            yield lines[0] if len(lines) == 1 else b"\n".join(lines)


class Splitter:
    """Cuts a byte stream into Frames at event boundaries: `feed` returns the whole events so far, the rest waits.

    Lines may end in LF, CRLF or CR, as the format has it; in the Frames they end in LF.
    """

    __slots__ = ("_after_cr", "_at_start", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._after_cr = False
        self._at_start = True

    def feed(self, data: bytes) -> Frames | None:
        """The events that are complete now, or None. data: what one read brought, cut anywhere.

        Raises ValueError for an event that grows beyond all bounds.
        """
        if self._after_cr or self._at_start or b"\r" in data:
            data = self._with_plain_ends(data)
        if self._rest:
            data = self._rest + data
        end = data.rfind(b"\n\n") + 2
        if end == len(data) and end > 1:
            self._rest = b""
            return Frames(data)
        self._rest = data[end:] if end > 1 else data
        if len(self._rest) > EVENT_BYTES:
            raise ValueError(f"an event of more than {EVENT_BYTES} bytes")
        return Frames(data[:end]) if end > 1 else None

    def rest(self) -> bytes:
        """What the stream's end left over: a last event without its blank line, which is given one; or nothing."""
        rest, self._rest = self._rest.rstrip(b"\n"), b""
        return rest + b"\n\n" if rest else b""

    def _with_plain_ends(self, data: bytes) -> bytes:
        if self._at_start and data:
            data, self._at_start = data.removeprefix(BYTE_ORDER_MARK), False
        if self._after_cr and data:
            data, self._after_cr = data.removeprefix(b"\n"), False
        if b"\r" not in data:
            return data
        self._after_cr = data.endswith(b"\r")  # the LF that may follow is of the same line end
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
