"""Sends the result of an API method: JSON as a whole, server-sent events as they arrive, or a file.

The result is sent in the request's own task. If the client leaves, that task is cancelled once, in plain asyncio: every
`finally` that begins because of it completes before the answer returns. (Litestar's own `Stream` would cancel the
awaits in them.)
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any

from pydantic import BaseModel

from runtime.apis._api import Route
from runtime.apis._carriers import Download
from runtime.context import current
from runtime.errors import StackError
from runtime.server.asgi import Send
from runtime.server.doors import DoorErrors
from runtime.server.downloads import send_download
from runtime.server.errors import as_stack_error
from runtime.server.header_values import header_bytes
from runtime.server.incoming import ClientLeft, Incoming
from runtime.server.ongoing import Ongoing
from runtime.sse import DONE, EventStream, Frames, Reply
from runtime.telemetry.spans import current_span

log = logging.getLogger(__name__)
_HEADER_LENGTH = 2000
_ENDS_PROCESS = "a provider tried to end the process"
_WAS_CANCELLED = "something that a provider waited for was cancelled"
_JSON = (b"content-type", b"application/json")
_EVENTS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


class Answer:
    """Calls an API method and sends what it returns.

    call: calls the method, so that it also ends if the client leaves before the first byte. errors: how they are told.
    ongoing: where it is while it is served.
    with_done: False to send no `[DONE]`, for clients that cannot read it.
    """

    __slots__ = (
        "_call", "_end", "_errors", "_has_left", "_incoming", "_is_complete", "_is_ending", "_last", "_ongoing",
        "_route", "_stopped", "_task",
    )  # fmt: skip

    def __init__(
        self,
        call: Callable[[], Any],
        *,
        route: Route,
        incoming: Incoming,
        ongoing: Ongoing,
        errors: DoorErrors | None = None,
        with_done: bool = True,
    ) -> None:
        self._call = call
        self._route = route
        self._incoming = incoming
        self._ongoing = ongoing
        self._errors = errors or DoorErrors()
        self._end = DONE if route.ends_with_done and with_done else b""
        self._task: asyncio.Task[Any] | None = None
        self._stopped: StackError | None = None
        self._last = b""
        self._has_left = self._is_ending = self._is_complete = False

    async def serve(self, send: Send, *, is_head: bool = False) -> None:
        """Call the method and send its result, until the client leaves. Errors before the first byte are raised."""
        task = self._task = asyncio.current_task()
        assert task is not None
        end_watch = self._incoming.when_left(self._leave)
        self._ongoing.answers.add(self)
        try:
            await self._send_result(send, is_head=is_head)
        except ClientLeft:
            pass
        except asyncio.CancelledError:
            if not self._has_left:
                raise
            task.uncancel()
        finally:
            self._ongoing.answers.discard(self)
            end_watch()
            self._incoming.release()

    def stop(self, error: StackError) -> None:
        """End the answer with an error: as its status before the first byte, as an event after it."""
        if self._stopped is None and not self._has_left and self._task is not None and not self._is_ending:
            self._stopped = error
            self._task.cancel()

    def _leave(self) -> None:
        """The client has left: end what is still done for it. If it is being stopped, it ends already, and a second
        cancellation would interrupt the method's `finally`.
        """
        if not self._is_complete and self._task is not None:
            self._has_left = True
            if self._stopped is None:
                self._task.cancel()

    async def _send_result(self, send: Send, *, is_head: bool) -> None:
        try:
            result = self._call()
            if inspect.isawaitable(result):
                result = await result
            self._is_ending = not isinstance(result, EventStream | AsyncGenerator)
            if isinstance(result, Reply):
                await send_json(send, result.data, status=self._route.status)
            elif isinstance(result, Download):
                asked = self._incoming.headers
                await send_download(send, result, asked=asked, noted=_noted({}), is_head=is_head)
            elif isinstance(result, BaseModel):
                await send_json(send, result.__pydantic_serializer__.to_json(result), status=self._route.status)
            elif result is None:
                await send_json(send, b"", status=self._route.status)
            else:
                await self._send_events(send, result)
            self._is_complete = True
        except asyncio.CancelledError as error:
            raise self._why_cancelled() from error
        except SystemExit as error:  # raised by a library; it would end the event loop
            raise RuntimeError(_ENDS_PROCESS) from error

    async def _send_events(self, send: Send, stream: EventStream | AsyncGenerator[Any, None]) -> None:
        """Send a stream. Waits for the first event before it sends the status, so that an earlier failure gets its own
        status. Only a complete stream ends with `[DONE]`.
        """
        try:
            with current().timing:
                data = await _next_bytes(stream)
            await send({"type": "http.response.start", "status": 200, "headers": [*_EVENTS, *_noted({})]})
            closing = self._end
            try:
                if data is not None:
                    await asyncio.create_task(self._send_all(send, data, stream))
            except Exception as error:
                closing = self._error_event(error)
            except asyncio.CancelledError as error:
                why = self._why_cancelled()
                if isinstance(why, asyncio.CancelledError):
                    raise
                why.__cause__ = error
                closing = self._error_event(why)
            self._is_ending = True
            await send({"type": "http.response.body", "body": closing, "more_body": False})
            self._is_complete = True
        finally:
            await stream.aclose()

    async def _send_all(self, send: Send, data: bytes, stream: EventStream | AsyncGenerator[Any, None]) -> None:
        """Send events until the stream ends.

        Runs as a task: each event wakes up all coroutines of a task, one inside the other, and here they are few.
        """
        try:
            while True:
                self._last = data
                await send({"type": "http.response.body", "body": data, "more_body": True})
                data = event_bytes(await anext(stream))
        except StopAsyncIteration:
            self._is_ending = True  # already here: `stop` may be called before the request's task goes on
        except SystemExit as error:  # a task would pass it on to the event loop
            raise RuntimeError(_ENDS_PROCESS) from error

    def _error_event(self, error: BaseException) -> bytes:
        known = as_stack_error(error)
        if (span := current_span()) is not None:
            span.fail(known)
        # Its line in the log says 200, which was sent before.
        log.info("an answer that had begun has failed", extra={"error": known.code or type(known).__name__})
        if (tells := self._route.tells_error) is not None:
            return self._errors.named_event(tells(known, self._last))
        return self._errors.event(known, request_id=current().request_id)

    def _why_cancelled(self) -> BaseException:
        """The error to send if `stop` cancelled this task, or if nobody did: then the method waited for something that
        was cancelled. Otherwise the cancellation.
        """
        assert self._task is not None
        if self._stopped is not None and not self._has_left:
            self._task.uncancel()
            return self._stopped
        return asyncio.CancelledError() if self._task.cancelling() else RuntimeError(_WAS_CANCELLED)


async def send_json(send: Send, body: bytes, *, status: int, headers: dict[str, str] | None = None) -> None:
    """Send a whole JSON document. body: empty for no document."""
    content = [] if status == 204 else [_JSON, (b"content-length", b"%d" % len(body))]  # RFC 9110, 8.6
    sent = [*content, *_noted(headers or {})]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _next_bytes(stream: EventStream | AsyncGenerator[Any, None]) -> bytes | None:
    try:
        return event_bytes(await anext(stream))
    except StopAsyncIteration:
        return None


def event_bytes(item: Any) -> bytes:
    """One item of a stream as server-sent events: Frames unchanged; a model with its `type` as the event's name."""
    if isinstance(item, Frames):
        return item.data
    body: bytes = item.__pydantic_serializer__.to_json(item)
    kind = getattr(item, "type", None)
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), body) if isinstance(kind, str) else b"data: %b\n\n" % body


def _noted(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """These headers, and the headers and warnings that were added to the request's context."""
    context = current()
    if not (headers or context.headers or context.warnings):
        return []
    noted = {**context.headers, **headers}
    if context.warnings:
        noted["x-llama-warnings"] = "; ".join(context.warnings)[:_HEADER_LENGTH]
    return header_bytes(noted)
