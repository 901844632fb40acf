"""A connection that has become a WebSocket: uvicorn's protocol, changed so that a client that does not read uses no
memory, and so that `sockets.py` ends open connections at a shutdown.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import SecurityError
from websockets.http11 import Request
from websockets.server import ServerProtocol

from runtime.errors import HeadTooLarge, RequestError


def check_handshake(head: bytes) -> None:
    """Check a handshake, RFC 6455, 4.2.1. uvicorn would not answer some errors, and others not in OpenAI's shape.

    Raises RequestError for an invalid handshake, HeadTooLarge for too many or too long headers.
    """
    opening = ServerProtocol()
    opening.receive_data(head)
    for request in opening.events_received():
        if isinstance(request, Request):
            opening.accept(request)
    if (wrong := opening.handshake_exc) is None:
        return
    words = f"This does not open a WebSocket: {wrong.__cause__ or wrong}"
    if isinstance(wrong, SecurityError):
        raise HeadTooLarge(words) from wrong
    raise RequestError(words, headers={"sec-websocket-version": "13"}) from wrong


class WebSocket(WebSocketsSansIOProtocol):
    """One connection. Pings are answered only as fast as the client reads the answers."""

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
            self.handshake_complete = True  # also after an HTTP answer, which uvicorn would log as an error

    def shutdown(self) -> None:
        if self.close_sent or not self.handshake_complete:
            super().shutdown()
