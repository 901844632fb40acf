"""Server-sent events as bytes, and whole JSON answers as bytes. Imports little else of ours.

`Frames` holds the whole SSE events of one read, not decoded. Code that only passes them on writes `data`; code that
looks inside calls `events()`. `Reply` is the same for an answer that is not streamed. Wire format: WHATWG HTML, section
9.2.6 (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Iterable
from typing import Any, Literal, Protocol, Self, runtime_checkable

import msgspec

DONE = b"data: [DONE]\n\n"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
Json = dict[str, Any]
encode = msgspec.json.Encoder().encode
"""JSON bytes of dicts, lists, scalars and msgspec Structs."""
_TOO_DEEP = "nested too deeply"
_decode = msgspec.json.Decoder().decode
raw_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""The members of the JSON object in some bytes, each still JSON, which `encode` writes as it is. Raises
msgspec.DecodeError for anything else, RecursionError for what is nested too deeply.
"""
_check = msgspec.json.Decoder(msgspec.Raw).decode
_check_objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode


def decode(data: bytes) -> Json:
    """The JSON object in `data`.

    Raises msgspec.DecodeError for data that is not JSON or nested too deeply, TypeError for JSON that is not an object.
    """
    try:
        value = _decode(data)
    except RecursionError as error:
        raise msgspec.DecodeError(_TOO_DEEP) from error
    if not isinstance(value, dict):
        raise TypeError(f"expected a JSON object, got {type(value).__name__}")
    return value


def members(data: bytes, opaque: Container[str]) -> Json:
    """As `decode`, but the values of these members stay JSON, as in `raw_members`: most of a long body is neither
    copied nor escaped again, nor checked to be UTF-8. Raises msgspec.DecodeError for data that is not a JSON object.
    """
    try:
        return {name: value if name in opaque else _decode(value) for name, value in raw_members(data).items()}
    except RecursionError as error:
        raise msgspec.DecodeError(_TOO_DEEP) from error


def is_json_object(data: bytes) -> bool:
    """Whether `data` is a whole JSON object. Checks without building it."""
    if data.lstrip()[:1] != b"{":
        return False
    try:
        _check(data)
        return data.isascii() or bool(data.decode())
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, and so are UTF-8 errors
        return False


def has_objects(data: bytes, member: str) -> bool:
    """Whether a member of the JSON object in `data` is a list of objects. Looks at nothing else, and builds nothing."""
    try:
        _check_objects(raw_members(data)[member])
        return True
    except (LookupError, ValueError, RecursionError):
        return False


class Frames:
    """The whole SSE events of one read. data: the bytes for the wire, ending in a blank line."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    @classmethod
    def of(cls, *events: object) -> Frames:
        """Frames from JSON-able objects (dicts or msgspec Structs), one `data:` event each."""
        return cls(b"".join(b"data: %b\n\n" % encode(event) for event in events))

    def events(self) -> list[Json]:
        """The JSON object of each event, in order, without `[DONE]`, comments and empty keep-alives.

        Raises msgspec.DecodeError for an event that is not JSON or nested too deeply.
        """
        try:
            return [_decode(payload) for payload in payloads(self.data) if payload not in (b"[DONE]", b"")]
        except RecursionError as error:
            raise msgspec.DecodeError(_TOO_DEEP) from error


class Reply:
    """A whole JSON answer as bytes. data: the bytes for the wire. value(): the same, decoded by each call."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    @classmethod
    def of(cls, value: object) -> Reply:
        return cls(encode(value))

    def value(self) -> Json:
        return decode(self.data)


@runtime_checkable
class AsyncClosable(Protocol):
    """An iterator with something to release, such as an async generator."""

    async def aclose(self) -> None: ...


class EventStream:
    """What a streamed inference call returns: an iterator of Frames as they arrive. Read it to its end, or close it.

    close: releases what the stream uses. Called once, however the stream ends: by itself, by an error, by cancellation,
    or before its first item, when a generator's own `finally` would not run. first: what comes before `frames`.
    """

    __slots__ = ("_close", "_first", "_frames")

    def __init__(
        self, frames: AsyncGenerator[Frames, None], close: Callable[[], Awaitable[None]], *, first: Frames | None = None
    ) -> None:
        self._frames = frames
        self._close: Callable[[], Awaitable[None]] | None = close
        self._first = first

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frames:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        try:
            return await anext(self._frames)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """End the upstream call, or release what the stream uses. A second call does nothing."""
        close, self._close = self._close, None
        self._first = None
        if close is not None:
            try:
                await self._frames.aclose()
            finally:
                await close()

    def map(self, change: Callable[[Frames], Frames]) -> EventStream:
        """The same stream with every item changed; closing it closes this one."""
        return _Changed(self, change)

    def through(self, stage: Stage) -> EventStream:
        """What a stage makes of this stream; closing it closes this one. A stream that is closed before it has ended,
        read or not, has been left.
        """
        return _Staged(self, stage)


class _Changed(EventStream):
    """A stream with every item changed. Not a generator: each one between a read and its client costs time."""

    __slots__ = ("_change", "_stream")

    def __init__(self, stream: EventStream, change: Callable[[Frames], Frames]) -> None:
        self._stream = stream
        self._change = change

    async def __anext__(self) -> Frames:
        frames = await self._stream.__anext__()
        try:
            return self._change(frames)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()


End = Literal["complete", "failed", "left"]
"""How a stream ended: by itself, by an error, or because its reader went away."""


class Stage(Protocol):
    """Stands in a stream's way, for a record of it, a quota or a guardrail: sees what comes, may change it or hold it
    back, and learns how the stream ended before its reader does.
    """

    async def read(self, frames: Frames) -> Frames | None:
        """Called with the events of one read. Returns what is passed on in their place; None if that is nothing yet.
        Raises StopAsyncIteration where the stream is to end, complete: what comes below is closed, and `ended` says
        what comes last. With whatever else it raises, the stream fails. The stream waits for it.
        """
        ...

    async def ended(self, how: End, error: BaseException | None) -> Frames | None:
        """Called once, when the stream is over, and always done to its end; the reader sees the end when this returns.
        error: why the stream failed.

        Returns what is still to be sent, such as what was held back; only a complete stream sends it. What it raises
        fails a complete stream, and is only logged for any other, so that it does not hide why that one ended.
        """
        ...


class _Staged(EventStream):
    """A stream with a stage. Not a generator, as above."""

    __slots__ = ("_is_over", "_stage", "_stream")

    def __init__(self, stream: EventStream, stage: Stage) -> None:
        self._stream = stream
        self._stage = stage
        self._is_over = False

    async def __anext__(self) -> Frames:
        while not self._is_over:
            try:
                frames = await self._stage.read(await self._stream.__anext__())
            except StopAsyncIteration:
                await self._stream.aclose()
                last = await self._end("complete")
                if last is not None:
                    return last
            except Exception as error:
                try:
                    await self._end("failed", error)
                finally:
                    await self._stream.aclose()
                raise
            except BaseException:
                await self.aclose()
                raise
            else:
                if frames is not None:
                    return frames
        raise StopAsyncIteration

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            if not self._is_over:
                await self._end("left")

    async def _end(self, how: End, error: BaseException | None = None) -> Frames | None:
        # Not above: a command line that reads a run config loads this module, and no event loop.
        from runtime.to_the_end import to_the_end

        self._is_over = True
        try:
            return await to_the_end(self._stage.ended(how, error))
        except Exception as failure:
            if how == "complete":
                raise
            import logging

            extra = {"end": how, "stage": type(self._stage).__name__}
            logging.getLogger(__name__).error("a stage of a stream failed", extra=extra, exc_info=failure)
            return None


def payloads(data: bytes) -> Iterable[bytes]:
    """The payload of each event in `data`; several `data:` lines of one event are joined by newlines (9.2.6)."""
    for block in data.split(b"\n\n"):
        lines = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
        if lines:
            yield lines[0] if len(lines) == 1 else b"\n".join(lines)
