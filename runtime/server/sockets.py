"""An API method over a WebSocket: each message is a request, each event an answer, as JSON text.

An invalid message is answered with an error in the door's shape, and the connection stays open; a failure of the method
sends such an error and closes it. When the client leaves, the method's iterator is closed in plain asyncio and every
`finally` runs. When the server drains, the method gets only the requests that were already received.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from runtime.apis._api import TellsError
from runtime.apis._request import Request
from runtime.context import current
from runtime.errors import RateLimited, RequestError, StackError
from runtime.parsing.requests import request_from
from runtime.server.asgi import Receive, Send
from runtime.server.doors import DoorErrors
from runtime.server.errors import as_stack_error
from runtime.server.incoming import ClientLeft
from runtime.server.ongoing import Ongoing
from runtime.sse import AsyncClosable, Frames, payloads

_NORMAL, _TOO_FAST, _FAILED, _RESTARTS = 1000, 1008, 1011, 1012
"""RFC 6455, 7.4.1, and IANA's registry of close codes."""
_MAX_WAITING = 1000
_MAX_WAITING_BYTES = 16 * 1024 * 1024
"""How much may wait until the method reads it. If there is more, the connection ends: if we stopped reading instead, we
would not notice that the client leaves, and would miss its answers to pings.
"""


async def serve_socket(
    method: Callable[[AsyncIterator[Any]], AsyncIterator[Any]],
    model: type[Request],
    *,
    receive: Receive,
    send: Send,
    errors: DoorErrors,
    ongoing: Ongoing,
    tells_error: TellsError | None = None,
) -> None:
    """Serve one connection until one side ends it. model: of each message. ongoing: where it is meanwhile. tells_error:
    see `Route`.
    """
    if (await receive())["type"] != "websocket.connect":
        return
    await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
    socket = _Socket(model, send, errors, tells_error)
    socket.pumping = pump = asyncio.create_task(socket.pump(method))
    reading = asyncio.create_task(socket.read(receive))
    ongoing.connections.add(socket)
    try:
        await asyncio.wait((pump, reading), return_when=asyncio.FIRST_COMPLETED)
    finally:
        ongoing.connections.discard(socket)
        reading.cancel()
        socket.leave()
        with contextlib.suppress(asyncio.CancelledError, ClientLeft):
            await pump


class _Socket:
    """One connection. pumping: the task of `pump`."""

    def __init__(self, model: type[Request], send: Send, errors: DoorErrors, tells_error: TellsError | None) -> None:
        self.pumping: asyncio.Task[None] | None = None
        self._model = model
        self._send = send
        self._errors = errors
        self._tells_error = tells_error
        self._last = b""  # event of the answer to the message that is read
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()  # None: no more will come
        self._waiting_bytes = 0
        self._stopped: tuple[StackError, int] | None = None
        self._is_draining = self._is_ending = False

    async def read(self, receive: Receive) -> None:
        """Receive messages until the client leaves. Nothing else reads from the connection."""
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text")
            raw = text.encode() if isinstance(text, str) else message.get("bytes") or b""
            if self._is_draining or self._stopped:
                continue
            if self._messages.qsize() >= _MAX_WAITING or self._waiting_bytes + len(raw) > _MAX_WAITING_BYTES:
                limit = f"{_MAX_WAITING} messages or {_MAX_WAITING_BYTES} bytes"
                words = f"More than {limit} are waiting; send more when some are answered"
                self.stop(RateLimited(words), code=_TOO_FAST)
                continue
            self._waiting_bytes += len(raw)
            self._messages.put_nowait(raw)

    def drain(self) -> None:
        """Accept no more messages."""
        self._is_draining = True
        self._messages.put_nowait(None)

    def stop(self, error: StackError, *, code: int = _RESTARTS) -> None:
        """End the connection now, with an error and a close code."""
        if self._stopped is None and self.pumping is not None and not self._is_ending:
            self._stopped = error, code
            self.pumping.cancel()

    def leave(self) -> None:
        """End what is still done. If the connection is being stopped, it ends already, and a second cancellation would
        interrupt the method's `finally`.
        """
        if self._stopped is None and self.pumping is not None:
            self.pumping.cancel()

    async def pump(self, method: Callable[[AsyncIterator[Any]], AsyncIterator[Any]]) -> None:
        """Send what the method yields, an error if it fails, and the close message. Raises ClientLeft if the client is
        gone.
        """
        failure, code = None, _NORMAL
        try:
            await self._send_events(method(self._requests()))
            code = _RESTARTS if self._is_draining else _NORMAL
        except ClientLeft:
            raise
        except (Exception, SystemExit) as error:
            failure, code = as_stack_error(error), _FAILED
        except asyncio.CancelledError as error:
            assert self.pumping is not None
            if not self.pumping.cancelling():  # then something was cancelled that the method waited for
                failure, code = as_stack_error(error), _FAILED
            elif self._stopped is None:
                raise
            else:
                self.pumping.uncancel()
                failure, code = self._stopped
        self._is_ending = True
        if failure is not None:
            await self._send_error(failure)
        await self._sent({"type": "websocket.close", "code": code, "reason": ""})

    async def _send_events(self, events: AsyncIterator[Any]) -> None:
        try:
            async for event in events:
                for text in _texts(event):
                    self._last = text
                    await self._send_text(text)
        finally:
            if isinstance(events, AsyncClosable):
                await events.aclose()

    async def _requests(self) -> AsyncIterator[Request]:
        while (raw := await self._messages.get()) is not None:
            self._waiting_bytes -= len(raw)
            try:
                request: Request = await request_from(self._model, raw)
            except RequestError as error:
                await self._send_error(error)
            else:
                yield request
                self._last = b""

    async def _send_error(self, error: StackError) -> None:
        told = self._tells_error(error, self._last) if self._tells_error is not None else None
        await self._send_text(self._errors.over_socket(error, request_id=current().request_id, told=told))

    async def _send_text(self, text: bytes) -> None:
        await self._sent({"type": "websocket.send", "text": text.decode(), "bytes": None})

    async def _sent(self, message: Any) -> None:
        try:
            await self._send(message)
        except OSError as error:  # ASGI's sign that the client has left
            raise ClientLeft from error


def _texts(event: Any) -> list[bytes]:
    if isinstance(event, Frames):
        return [payload for payload in payloads(event.data) if payload not in (b"[DONE]", b"")]
    return [event.__pydantic_serializer__.to_json(event)]
