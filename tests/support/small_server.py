"""A small HTTP server in this process: a handler says what it answers, and a block says for how long it runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, TypeVar

S = TypeVar("S", bound=HTTPServer)


class SmallHandler(BaseHTTPRequestHandler):
    """Prints nothing of what it is asked."""

    def answer(self, body: bytes, *, status: int = 200, kind: str | None = None) -> None:
        """A whole answer. kind: its content type, where it has one."""
        self.send_response(status)
        if kind is not None:
            self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def document(self, document: object, *, status: int = 200) -> None:
        """The same of JSON."""
        self.answer(json.dumps(document).encode(), status=status, kind="application/json")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def running(server: S) -> Iterator[S]:
    """Let it answer until the block ends, and close it then."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    with server:
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def url_of(server: HTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"
