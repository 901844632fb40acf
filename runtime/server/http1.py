"""HTTP/1.1 as clients speak it: uvicorn's protocol, with what a server at an open door needs.

An upgrade to a WebSocket is followed; any other is passed over (RFC 9110, 7.8): Java's HttpClient offers `h2c` with its
first request, and the body is that request's. A head has a size and a time in which it must come, a body a longest
silence. Trailers are dropped: what has been checked stays as it was. Bytes that are no request are answered in OpenAI's
shape.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from runtime.errors import HeadTooLarge, NotSupported, RequestError, StackError
from runtime.ids import new_id
from runtime.server.doors import error_json

log = logging.getLogger(__name__)
HEAD_BYTES = 64 * 1024
"""The most that a request's line and headers may have; a read that brings more than them may go beyond it."""
LINGER_S = 1.0
_NOWHERE: Any = deque(maxlen=0)


class Http1(HttpToolsProtocol):
    """One connection. The keep-alive timer runs also while a head is on its way, and is set anew by each part of a body
    that does not come at once.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._is_in_head, self._is_refused = True, False
        self._head_bytes = self._read_bytes = 0
        self._wait(self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._read_bytes = len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            self._refuse(_what_is_wrong(error))
            return
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(_too_large())
        elif self.cycle.more_body and not self.cycle.response_complete:
            self._wait(self.timeout_keep_alive)

    def _feed(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                if self._is_web_socket():
                    self._to_web_socket()
                    return
                # The parser has taken the head and leaves the rest to another protocol. Begin anew, without the offer.
                data = self._head_without_upgrade() + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does

    def _is_web_socket(self) -> bool:
        """RFC 6455, 4.1."""
        return self.parser.get_method() == b"GET" and (self._get_upgrade() or b"").lower() == b"websocket"

    def _to_web_socket(self) -> None:
        """Hand the connection over. The library is loaded for the first one alone: few servers ever meet one."""
        from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

        self._unset_keepalive_if_required()
        self.scope["method"] = "GET"
        self.ws_protocol_class = WebSocketsSansIOProtocol
        self.handle_websocket_upgrade()

    def _head_without_upgrade(self) -> bytes:
        line = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        headers = [b"%b: %b\r\n" % (name, value) for name, value in self.headers if name != b"upgrade"]
        return b"".join([line, *headers, b"\r\n"])

    def on_headers_complete(self) -> None:
        """Called by the parser. Raises NotSupported for CONNECT, HeadTooLarge."""
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise NotSupported("This server is no proxy, and does not answer CONNECT")
            return
        if self._head_bytes + self._read_bytes > HEAD_BYTES:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > HEAD_BYTES:
                raise _too_large()
        self._is_in_head = False
        self._unset_keepalive_if_required()
        super().on_headers_complete()
        self.headers = _NOWHERE  # where trailers go

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._is_in_head, self._head_bytes = True, -self._read_bytes  # this read is not the next head's
        if not self.cycle.response_complete:
            self._unset_keepalive_if_required()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._do_not_wait_for_the_client()

    def shutdown(self) -> None:
        super().shutdown()
        self._do_not_wait_for_the_client()

    def _do_not_wait_for_the_client(self) -> None:
        """Closing TLS means that both sides say so, and half a minute is given to a client that reads nothing, as an
        idle one does: the server's end would wait for it.
        """
        if self.transport.is_closing() and self.scheme == "https":
            self.loop.call_later(LINGER_S, self._abort)

    def _abort(self) -> None:
        if self.transport.get_write_buffer_size():
            self._do_not_wait_for_the_client()  # its answer is still on the way
        else:
            self.transport.abort()

    def timeout_keep_alive_handler(self) -> None:
        if self.flow.read_paused and not self._is_refused:
            self._wait(self.timeout_keep_alive)  # the silence is ours
        else:
            super().timeout_keep_alive_handler()

    def _wait(self, limit_s: float) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(limit_s, self.timeout_keep_alive_handler)

    def _refuse(self, error: StackError) -> None:
        """Answer what is no request, and end the connection: nobody knows where the next one begins.

        Not at once: closing on what a client still sends would take the answer from it.
        """
        self._is_refused = True
        request_id = new_id("req_")
        log.info("refused what came", extra={"request_id": request_id, "status": error.status, "reason": error.message})
        under_way = self.cycle if self.cycle is not None and not self.cycle.response_complete else None
        if self.pipeline or (under_way and under_way.response_started):
            self.transport.close()  # the answer would end up in the middle of another one
            return
        if under_way:
            under_way.disconnected = True
            under_way.message_event.set()
        body = error_json(error, request_id=request_id)
        headers = {
            **error.headers,
            "content-type": "application/json",
            "content-length": str(len(body)),
            "x-request-id": request_id,
            "connection": "close",
        }
        head = b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
        self.transport.write(STATUS_LINE[error.status] + head + b"\r\n" + body)
        self._wait(LINGER_S)


def _what_is_wrong(error: httptools.HttpParserError) -> StackError:
    """In our words. What our own callbacks raise comes wrapped."""
    if isinstance(error.__context__, StackError):
        return error.__context__
    if isinstance(error, httptools.HttpParserCallbackError):
        return RequestError("The request's target is no path of this server")
    return RequestError(f"This is no HTTP/1.1: {error}")


def _too_large() -> HeadTooLarge:
    return HeadTooLarge(f"The request's line and headers are larger than {HEAD_BYTES} bytes")
