"""HTTP/1.1: uvicorn's protocol, with the limits and checks that a public server needs.

An upgrade to a WebSocket is accepted, unless another request is still being answered. Other upgrades are ignored (RFC
9110, 7.8): Java's HttpClient offers `h2c` with its first request, and the body belongs to that request. The size and
the time of a head are limited, and so are the silence within a body and how slowly it comes (`pace.py`), the time in
which a client reads nothing of its answer, and the number of connections. A client that closes its side of the
connection has left. Trailers are dropped, so that they cannot change headers after the checks. Bytes that are not a
request are answered with an error in OpenAI's shape.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Iterable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from runtime.errors import NotSupported, RequestError, StackError, Unavailable
from runtime.ids import new_id
from runtime.server.bad_requests import HEAD_BYTES, framing_too_large, head_too_large, no_path, refusal, what_is_wrong
from runtime.server.inflow import LEAST_BYTES, Flow, Inflow
from runtime.server.leaving import EXTENSION, Connection
from runtime.server.pace import Pace, too_slow
from runtime.server.unread import Unread, unsent_bytes

log = logging.getLogger(__name__)
BODY_BYTES = 256 * 1024
"""How much of a body may wait before no more of it is read."""
LINGER_S = 1.0
PIPELINE_LIMIT = 1000
"""The most requests of a connection that wait for the answer of an earlier one; one read may have thousands."""
_PIPELINE_READ = 16
"""If so many wait, no more are read until some are answered."""
_FORM_END_BYTES = 512
"""The last boundary of a form is in so many bytes, which are read by themselves: so the contents before it, perhaps all
of the last megabyte, are handed on as they are, and not copied to cut it off.
"""
REFUSED_AT_ONCE = 100
"""So many connections more than there may be are told so; any more are ended without a word."""
_DISCARDED: Any = deque(maxlen=0)


class Http1(HttpToolsProtocol):
    """One connection. The keep-alive timer also limits how long a head may take, and restarts with each later part of a
    body. `_is_over`: no more requests are read, since one was refused or the last, or the connection is a WebSocket.
    `_body_bytes`: of the newest request, how much of its body has come; `_framing_bytes`: what has come since that was
    more: sizes of chunks, their extensions, trailers. `_is_one_too_many`: it gets a refusal alone.

    max_connections: of the server; least_rate: of bodies, as `Pace` takes it.
    """

    def __init__(self, *args: Any, max_connections: int, least_rate: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._max_connections = max_connections
        self._least_rate = least_rate

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self.flow: Flow = Flow(transport)
        self._inflow: Inflow | None = None
        self._is_in_head, self._is_over = True, False
        self._head_bytes = self._read_bytes = self._body_bytes = self._framing_bytes = 0
        self._connection = Connection()
        self._extensions = {EXTENSION: {"connection": self._connection}}
        self._running: RequestResponseCycle | None = None
        self._unread = Unread(transport)
        self._pace: Pace | None = None
        too_many = len(self.connections) - self._max_connections
        self._is_one_too_many = too_many > 0
        self._wait(LINGER_S if self._is_one_too_many else self.timeout_keep_alive)
        if too_many > REFUSED_AT_ONCE:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_keepalive_if_required()
        self._unread.forget()
        if self._inflow is not None:
            self._inflow.close()
        if self.pipeline and self._running is not None:  # uvicorn tells only the newest request
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)
        self._connection.end()

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        if self._is_one_too_many:
            self._refuse(_full())
            return
        self._read_bytes = len(data)
        try:
            is_http = self._feed(data)
        except (httptools.HttpParserError, StackError) as error:
            self._refuse(what_is_wrong(error))
            return
        if not is_http:
            return
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(head_too_large())
            return
        self._framing_bytes += len(data)
        if self._framing_bytes > HEAD_BYTES:  # the parser keeps a trailer until it ends, and nothing else has a limit
            self._refuse(framing_too_large())
        elif self.cycle.more_body and self.on_read():
            headers = self.cycle.scope["headers"]
            left_bytes = _length(headers) - self._body_bytes
            if left_bytes >= LEAST_BYTES and self.scheme == "http":
                self._begin_inflow(left_bytes, _FORM_END_BYTES if _is_form(headers) else 0)

    def _begin_inflow(self, left_bytes: int, end_bytes: int) -> None:
        with contextlib.suppress(OSError):  # then the parser reads the rest too
            self._inflow = Inflow(self, self.transport, left_bytes, end_bytes)
            self.flow.read_from(self._inflow)

    def on_read(self, read_bytes: int = 0) -> bool:
        """More of the body has arrived, so the client is not silent. read_bytes: that the parser has not seen. Returns
        False if it comes too slowly, which has been answered.
        """
        self._body_bytes += read_bytes
        if self.cycle.response_complete:
            return True
        if self._pace is None:
            self._pace = Pace(self.flow, least_rate=self._least_rate, grace_s=self.timeout_keep_alive)
        elif self._pace.is_too_slow(self._body_bytes):
            self._refuse(too_slow())
            return False
        self._wait(self.timeout_keep_alive)
        return True

    def on_inflow_end(self, *, is_whole: bool) -> None:
        self._inflow = None
        self.flow.read_from(self.transport)
        if is_whole:
            self._on_body_end()

    def _on_body_end(self) -> None:
        """A new parser reads what follows, since the old one has not seen the end of the body. It does not know either
        whether that was the last request, behind which bytes have no meaning.
        """
        self._is_over = not self.cycle.keep_alive
        self.parser = self._new_parser()
        self._read_bytes = 0  # nothing of the next head is there yet
        self.on_message_complete()

    def _feed(self, data: bytes) -> bool:
        """Parse some bytes. Returns False if the connection became a WebSocket."""
        while True:
            try:
                self.parser.feed_data(data)
                return True
            except httptools.HttpParserUpgrade as upgrade:
                rest = data[upgrade.args[0] :]
                if self._is_web_socket():
                    self._to_web_socket(rest)
                    return False
                # The parser stops after the head of an upgrade. Parse it again without the `upgrade` header.
                data = self._head([(name, value) for name, value in self.headers if name != b"upgrade"]) + rest
                self.parser = self._new_parser()

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        return parser

    def _is_web_socket(self) -> bool:
        """RFC 6455, 4.1. An earlier answer must be complete: its bytes would otherwise mix with the messages."""
        is_free = self.cycle is None or self.cycle.response_complete
        is_asked = self.parser.get_method() == b"GET" and (self._get_upgrade() or b"").lower() == b"websocket"
        return is_asked and is_free and self.parser.get_http_version() == "1.1"

    def _to_web_socket(self, rest: bytes) -> None:
        """Pass the connection to the WebSocket protocol. Its library is imported here, since few servers need it.

        rest: the bytes after the head. Raises RequestError or HeadTooLarge for an invalid handshake.
        """
        from runtime.server.websocket import WebSocket, check_handshake

        target = httptools.parse_url(self.url)
        if not target.path:
            raise no_path()
        self.url = target.path + (b"?" + target.query if target.query else b"")
        check_handshake(self._head(self.headers))
        if rest:
            raise RequestError("This does not open a WebSocket: messages were sent before the handshake was answered")
        self._unset_keepalive_if_required()
        self._unread.forget()
        self._is_over = True
        self.scope["method"] = "GET"
        self.ws_protocol_class = WebSocket
        self.handle_websocket_upgrade()

    def _head(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        line = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        return b"".join([line, *(b"%b: %b\r\n" % header for header in headers), b"\r\n"])

    def on_headers_complete(self) -> None:
        """Called by the parser. Raises NotSupported for CONNECT, HeadTooLarge, RequestError for too many requests that
        wait for their turn.
        """
        if self._head_bytes + self._read_bytes > HEAD_BYTES:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > HEAD_BYTES:
                raise head_too_large()
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise NotSupported("This server is not a proxy, and does not answer CONNECT")
            return
        self._is_in_head = False
        self._unset_keepalive_if_required()
        if self.expect_100_continue and self.parser.get_http_version() == "1.0":
            self.expect_100_continue = False  # RFC 9110, 10.1.1: such a client takes `100` for the whole answer
        self.scope["extensions"] = self._extensions  # type: ignore[typeddict-item]  # ASGI lets them hold anything
        super().on_headers_complete()
        self._body_bytes, self._framing_bytes, self._pace = 0, -self._read_bytes, None
        self.headers = _DISCARDED  # trailers are added here
        if self.pipeline:
            if len(self.pipeline) > PIPELINE_LIMIT:
                raise RequestError(f"More than {PIPELINE_LIMIT} requests wait for their turn on this connection")
            self._read_or_wait()

    def on_body(self, body: bytes) -> None:
        """As uvicorn's, which would copy each piece twice, and stop reading after each large one."""
        self._body_bytes += len(body)
        self._framing_bytes = -self._read_bytes  # this read does not count
        if not self.parser.should_upgrade():
            self.on_piece(body)
            self.pause_if_behind()

    def on_piece(self, piece: bytes) -> None:
        """Hand on some of the body."""
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body = cycle.body + piece if cycle.body else piece  # type: ignore[assignment]  # it takes bytes as well
        cycle.message_event.set()

    def pause_if_behind(self) -> bool:
        """Read no more if much of the body waits to be taken, and say whether that is so."""
        is_behind = len(self.cycle.body) >= BODY_BYTES and not self.cycle.response_complete
        if is_behind:
            self.flow.pause_reading()
        return is_behind

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        # uvicorn stops reading while much of a body waits, and reads on only when it is asked for more. Then the end of
        # the connection would not be noticed.
        self._read_or_wait()
        self._is_in_head, self._head_bytes = True, -self._read_bytes  # this read does not count for the next head
        if not self.cycle.response_complete:
            self._unset_keepalive_if_required()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.pipeline:
            self._read_or_wait()
        self._do_not_wait_for_the_client()

    def _read_or_wait(self) -> None:
        """Read on while few requests wait for their turn. uvicorn would stop at the first one, and so not notice that
        the client leaves; and it would read on after each answer, however many wait.
        """
        if len(self.pipeline) < _PIPELINE_READ:
            self.flow.resume_reading()
        else:
            self.flow.pause_reading()

    def shutdown(self) -> None:
        super().shutdown()
        self._do_not_wait_for_the_client()

    def _do_not_wait_for_the_client(self) -> None:
        """See to it that a closing connection ends: also where its client does not read the answer, and with TLS soon,
        since the server would otherwise wait half a minute for both sides to confirm that end.
        """
        if not self.transport.is_closing():
            return
        if unsent_bytes(self.transport):  # too little for `pause_writing`, perhaps
            self._unread.watch()
        if self.scheme == "https":
            self.loop.call_later(LINGER_S, self._abort)

    def _abort(self) -> None:
        if unsent_bytes(self.transport):
            self._do_not_wait_for_the_client()  # its answer is still being sent
        else:
            self.transport.abort()

    def timeout_keep_alive_handler(self) -> None:
        if self.flow.read_paused and not self._is_over:
            self._wait(self.timeout_keep_alive)  # we are not reading at the moment
        elif self._is_over or self._is_in_head or self.cycle.response_complete:
            super().timeout_keep_alive_handler()
            self._do_not_wait_for_the_client()
        else:
            self._refuse(too_slow())

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread.forget()
        self._do_not_wait_for_the_client()

    def _wait(self, limit_s: float) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(limit_s, self.timeout_keep_alive_handler)

    def _refuse(self, error: StackError) -> None:
        """Answer an invalid request, and end the connection, since we cannot find the beginning of the next one.

        The connection is closed after a moment: if it closed while the client still sends, the answer would be lost.
        """
        self._is_over = True
        if self._inflow is not None:
            self._inflow.close()
            self._inflow = None
            self.flow.read_from(self.transport)
        request_id = new_id("req_")
        log.info(
            "invalid request refused", extra={"request_id": request_id, "status": error.status, "reason": error.message}
        )
        running = self.cycle if self.cycle is not None and not self.cycle.response_complete else None
        if self.pipeline or (running and running.response_started):
            self.transport.close()  # this answer would be inside another one
            self._do_not_wait_for_the_client()
            return
        if running:
            running.disconnected = True
            running.message_event.set()
            self._connection.end()
        self.transport.write(refusal(error, request_id))
        self._wait(LINGER_S)


def _full() -> Unavailable:
    return Unavailable(
        "The server has as many connections as it may have", code="too_many_connections", headers={"retry-after": "1"}
    )


def _length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """The announced length of a body, which the parser has checked; 0 where it comes in chunks."""
    return next((int(value) for name, value in headers if name == b"content-length"), 0)


def _is_form(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name == b"content-type" and value.startswith(b"multipart/") for name, value in headers)
