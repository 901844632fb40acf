"""A web server and a real HTTP proxy, which tunnels too: with or without TLS, and with a key that it wants."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from tests.support.small_server import SmallHandler, running

BODY = b'{"data": []}'


class Server(ThreadingHTTPServer):
    """Answers `BODY`. As a proxy it wants `key`, where there is one, and leads every tunnel to `leads_to`."""

    daemon_threads = True
    key: str | None = None
    leads_to: tuple[str, int] = ("127.0.0.1", 1)
    asked: list[tuple[str, str]]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(SmallHandler):
    server: Server

    def do_GET(self) -> None:
        if self._is_let_through():
            self.answer(BODY)

    def do_CONNECT(self) -> None:
        if not self._is_let_through():
            return
        with socket.create_connection(self.server.leads_to) as there:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: there, there: self.connection}
            while True:
                for end in select.select(list(ends), [], [], 10)[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)

    def _is_let_through(self) -> bool:
        self.server.asked.append((self.command, self.path))
        if self.server.key is not None and self.headers["proxy-authorization"] != self.server.key:
            self.answer(b"", status=407)
            return False
        return True


@contextmanager
def served(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.asked = []
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with running(server):
        yield server
