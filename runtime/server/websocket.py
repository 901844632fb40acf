"""A connection that has become a WebSocket: uvicorn's protocol, where a client that reads nothing costs nothing, and
open conversations are ended by what serves them (`sockets.py`).
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import SecurityError
from websockets.http11 import Request
from websockets.server import ServerProtocol

from runtime.errors import HeadTooLarge, RequestError


def check_handshake(head: bytes) -> None:
    """RFC 6455, 4.2.1. uvicorn would leave some of what is wrong without an answer, and the rest in words of its own.

    Raises RequestError for a head that opens no WebSocket, HeadTooLarge for more or longer headers than it may have.
    """
    opening = ServerProtocol()
    opening.receive_data(head)
    for request in opening.events_received():
        if isinstance(request, Request):
            opening.accept(request)
    if (wrong := opening.handshake_exc) is None:
        return
    words = f"This opens no WebSocket: {wrong.__cause__ or wrong}"
    if isinstance(wrong, SecurityError):
        raise HeadTooLarge(words) from wrong
    raise RequestError(words, headers={"sec-websocket-version": "13"}) from wrong


class WebSocket(WebSocketsSansIOProtocol):
    """One connection. Pings are answered as fast as the client reads the answers."""

    def pause_writing(self) -> None:
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()

    async def receive(self) -> Any:
        message = await super().receive()
        if not self.writable.is_set() and not self.transport.is_closing():
            self.transport.pause_reading()
        return message

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.close_sent:
            self.handshake_complete = True  # also by an answer in its place, which uvicorn logs as an error

    def shutdown(self) -> None:
        if self.close_sent or not self.handshake_complete:
            super().shutdown()
