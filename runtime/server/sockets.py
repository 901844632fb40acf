"""An API method over a WebSocket: each message is a request, each event an answer, as JSON text.

A message that does not fit is answered with the door's error, and the connection goes on; a failure of the method ends
it with one. When the client leaves, the method's iterator is closed in plain asyncio and every `finally` runs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from litestar.types import Receive, Send
from pydantic import ValidationError

from runtime.apis._doors import Door
from runtime.apis._request import Request
from runtime.context import current
from runtime.errors import RequestError, StackError
from runtime.provider import contained
from runtime.server.content import json_object
from runtime.server.doors import error_json
from runtime.server.errors import as_stack_error, invalid_request
from runtime.sse import Frames, payloads

_NORMAL, _FAILED = 1000, 1011
_WAITING = 16
"""Messages that are read ahead; then the client has to wait."""


async def serve_socket(
    method: Callable[[AsyncIterator[Any]], AsyncIterator[Any]],
    model: type[Request],
    *,
    receive: Receive,
    send: Send,
    door: Door,
) -> None:
    """Serve one connection until one side ends it. model: of each message."""
    if (await receive())["type"] != "websocket.connect":
        return
    await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
    socket = _Socket(model, send, door)
    pump = asyncio.create_task(contained(socket.pump(method)))
    reading = asyncio.create_task(socket.read(receive))
    try:
        await asyncio.wait((pump, reading), return_when=asyncio.FIRST_COMPLETED)
    finally:
        reading.cancel()
        pump.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pump


class _Socket:
    def __init__(self, model: type[Request], send: Send, door: Door) -> None:
        self._model = model
        self._send = send
        self._door = door
        self._messages: asyncio.Queue[bytes] = asyncio.Queue(_WAITING)

    async def read(self, receive: Receive) -> None:
        """Take messages until the client leaves. The one reader of the connection."""
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text")
            await self._messages.put(text.encode() if isinstance(text, str) else message.get("bytes") or b"")

    async def pump(self, method: Callable[[AsyncIterator[Any]], AsyncIterator[Any]]) -> None:
        """Send what the method yields."""
        code = _NORMAL
        events = method(self._requests())
        try:
            async for event in events:
                for text in _texts(event):
                    await self._send_text(text)
        except Exception as error:
            code = _FAILED
            await self._send_error(as_stack_error(error))
        finally:
            if hasattr(events, "aclose"):
                await events.aclose()
        await self._send({"type": "websocket.close", "code": code, "reason": ""})

    async def _requests(self) -> AsyncIterator[Request]:
        while True:
            raw = await self._messages.get()
            try:
                request = self._validated(raw)
            except RequestError as error:
                await self._send_error(error)
            else:
                yield request

    def _validated(self, raw: bytes) -> Request:
        try:
            return self._model.model_validate_json(raw).with_raw(raw)
        except ValidationError as error:
            raise invalid_request(error, json_object(raw, b"")) from error

    async def _send_error(self, error: StackError) -> None:
        await self._send_text(error_json(error, request_id=current().request_id, door=self._door))

    async def _send_text(self, text: bytes) -> None:
        await self._send({"type": "websocket.send", "text": text.decode(), "bytes": None})


def _texts(event: Any) -> list[bytes]:
    if isinstance(event, Frames):
        return list(payloads(event.data))
    return [event.__pydantic_serializer__.to_json(event)]
