"""How an API's result goes out: JSON in one piece, or server-sent events as they come.

A stream is pumped in a task of its own while we wait for the client to leave: then the pump is cancelled in plain
asyncio, every `finally` below it runs to its end, and only then does the response return. (Litestar's own `Stream`
cancels the awaits inside them.)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncGenerator, Callable
from typing import Any

from litestar import Response
from litestar.types import Receive, Scope, Send
from pydantic import BaseModel

from runtime.context import current
from runtime.errors import StackError
from runtime.server.errors import as_stack_error
from runtime.sse import Frames, Reply, encode

log = logging.getLogger(__name__)
# A warning may quote the caller, and a line break in it would begin a header of the caller's own.
_HIDDEN = re.compile(r"[\x00-\x1f\x7f]")
_HEADER_LENGTH = 2000
_JSON = (b"content-type", b"application/json")
_EVENTS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


class Answer(Response[None]):
    """A response that calls an API method and sends what it returns; Litestar only carries it.

    call: the method, not yet called, so that a client that leaves before the first byte ends it too. stream_end:
    bytes that close a stream which does not close itself so.
    ends_bare: leave those bytes out, also where the stream has them, for clients that cannot read them.
    """

    def __init__(self, call: Callable[[], Any], *, status: int, stream_end: bytes, ends_bare: bool = False) -> None:
        super().__init__(content=None)
        self._call = call
        self._status = status
        self._stream_end = stream_end
        self._ends_bare = ends_bare

    def to_asgi_response(self, *args: Any, **kwargs: Any) -> Any:
        return self.serve

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call and send until done or until the client leaves. Errors before the first byte are raised."""
        pump = asyncio.create_task(self._pump(send))
        left = asyncio.create_task(_client_left(receive))
        try:
            await asyncio.wait((pump, left), return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pump

    async def _pump(self, send: Send) -> None:
        result = self._call()
        if not isinstance(result, AsyncGenerator):
            result = await result
        if isinstance(result, Reply):
            await send_json(send, result.data, status=self._status)
        elif isinstance(result, BaseModel):
            await send_json(send, result.__pydantic_serializer__.to_json(result), status=self._status)
        elif result is None:
            await send_json(send, b"", status=self._status)
        else:
            await self._send_events(send, result)

    async def _send_events(self, send: Send, stream: AsyncGenerator[Any, None]) -> None:
        """Waits for the first event before the status goes out, so that a failure before it is a real status."""
        try:
            sent, last = b"", await _next_bytes(stream)
            await send({"type": "http.response.start", "status": 200, "headers": [*_EVENTS, *_noted({})]})
            try:
                while last is not None:
                    body = last.removesuffix(self._stream_end) if self._ends_bare else last
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                    sent, last = last, await _next_bytes(stream)
                closing = b"" if self._stream_end and sent.endswith(self._stream_end) else self._stream_end
            except Exception as error:
                closing = _error_event(error) + self._stream_end
            if self._ends_bare:
                closing = closing.removesuffix(self._stream_end)
            await send({"type": "http.response.body", "body": closing, "more_body": False})
        finally:
            await stream.aclose()


class ErrorAnswer(Response[None]):
    """OpenAI's error shape with the error's status."""

    def __init__(self, error: StackError) -> None:
        super().__init__(content=None)
        self._error = error

    def to_asgi_response(self, *args: Any, **kwargs: Any) -> Any:
        return self.serve

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_json(send, encode(self._error.body()), status=self._error.status, headers=self._error.headers)


async def send_json(send: Send, body: bytes, *, status: int, headers: dict[str, str] | None = None) -> None:
    """A whole JSON document; an empty body is none."""
    content = [] if status == 204 else [_JSON, (b"content-length", b"%d" % len(body))]  # RFC 9110, 8.6
    sent = [*content, *_noted(headers or {})]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _next_bytes(stream: AsyncGenerator[Any, None]) -> bytes | None:
    async for item in stream:
        return event_bytes(item)
    return None


def event_bytes(item: Any) -> bytes:
    """One item of a stream as server-sent events: Frames as they are; a model with its `type` as the event's name."""
    if isinstance(item, Frames):
        return item.data
    body: bytes = item.__pydantic_serializer__.to_json(item)
    kind = getattr(item, "type", None)
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), body) if isinstance(kind, str) else b"data: %b\n\n" % body


def _error_event(error: Exception) -> bytes:
    shown = as_stack_error(error)
    return b"data: " + encode({**shown.body(), "request_id": current().request_id}) + b"\n\n"


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _noted(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers and warnings that were noted on the request while it was served."""
    context = current()
    noted = {**context.headers, **headers}
    if context.warnings:
        noted["x-llama-warnings"] = "; ".join(context.warnings)[:_HEADER_LENGTH]
    return [
        (name.encode("latin-1"), _HIDDEN.sub("?", value).encode("latin-1", "replace")) for name, value in noted.items()
    ]
