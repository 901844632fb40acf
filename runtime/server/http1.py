"""HTTP/1.1 as clients speak it: uvicorn's protocol, with what a server at an open door needs.

An upgrade to a WebSocket is followed, unless another request is still being answered; any other is passed over (RFC
9110, 7.8): Java's HttpClient offers `h2c` with its first request, and the body is that request's. A head has a size and
a time in which it must come, a body a longest silence. Trailers are dropped: what has been checked stays as it was.
Bytes that are no request are answered in OpenAI's shape.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
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
    that does not come at once. `_is_over` once nothing that comes is a request any more: it was refused, or the
    connection is a WebSocket.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._is_in_head, self._is_over = True, False
        self._head_bytes = self._read_bytes = 0
        self._wait(self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        self._read_bytes = len(data)
        try:
            is_http = self._feed(data)
        except (httptools.HttpParserError, StackError) as error:
            self._refuse(_what_is_wrong(error))
            return
        if not is_http:
            return
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(_too_large())
        elif self.cycle.more_body and not self.cycle.response_complete:
            self._wait(self.timeout_keep_alive)

    def _feed(self, data: bytes) -> bool:
        """Whether more of HTTP is to come."""
        while True:
            try:
                self.parser.feed_data(data)
                return True
            except httptools.HttpParserUpgrade as upgrade:
                rest = data[upgrade.args[0] :]
                if self._is_web_socket():
                    self._to_web_socket(rest)
                    return False
                # The parser has taken the head and leaves the rest to another protocol. Begin anew, without the offer.
                data = self._head([(name, value) for name, value in self.headers if name != b"upgrade"]) + rest
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does

    def _is_web_socket(self) -> bool:
        """RFC 6455, 4.1. Another request's answer must have ended: it would end up in the middle of the messages."""
        is_free = self.cycle is None or self.cycle.response_complete
        is_asked = self.parser.get_method() == b"GET" and (self._get_upgrade() or b"").lower() == b"websocket"
        return is_asked and is_free and self.parser.get_http_version() == "1.1"

    def _to_web_socket(self, rest: bytes) -> None:
        """Hand the connection over. The library is loaded for the first one alone: few servers ever meet one.

        Raises RequestError, HeadTooLarge for what opens no WebSocket. rest: what came after the head.
        """
        from runtime.server.websocket import WebSocket, check_handshake

        target = httptools.parse_url(self.url)
        if not target.path:
            raise _no_path()
        self.url = target.path + (b"?" + target.query if target.query else b"")
        check_handshake(self._head(self.headers))
        if rest:
            raise RequestError("This opens no WebSocket: messages come before the handshake is answered")
        self._unset_keepalive_if_required()
        self._is_over = True
        self.scope["method"] = "GET"
        self.ws_protocol_class = WebSocket
        self.handle_websocket_upgrade()

    def _head(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        line = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        return b"".join([line, *(b"%b: %b\r\n" % header for header in headers), b"\r\n"])

    def on_headers_complete(self) -> None:
        """Called by the parser. Raises NotSupported for CONNECT, HeadTooLarge."""
        if self._head_bytes + self._read_bytes > HEAD_BYTES:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > HEAD_BYTES:
                raise _too_large()
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise NotSupported("This server is no proxy, and does not answer CONNECT")
            return
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
        if self.flow.read_paused and not self._is_over:
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
        self._is_over = True
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


def _what_is_wrong(error: httptools.HttpParserError | StackError) -> StackError:
    """In our words. What our own callbacks raise comes wrapped."""
    if isinstance(error, StackError):
        return error
    if isinstance(error.__context__, StackError):
        return error.__context__
    if isinstance(error, httptools.HttpParserCallbackError):
        return _no_path()
    return RequestError(f"This is no HTTP/1.1: {error}")


def _no_path() -> RequestError:
    return RequestError("The request's target is no path of this server")


def _too_large() -> HeadTooLarge:
    return HeadTooLarge(f"The request's line and headers are larger than {HEAD_BYTES} bytes")
