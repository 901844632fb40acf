"""Servers that a stack calls: those that run a real model, and a small one that checks what a vendor documents.

What is promised with a real upstream is tried with a llama.cpp server, where this machine can run it, and with a second
stack of ours, everywhere.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from tests.support.llama_cpp import Serve, shipped_gguf
from tests.support.stack_home import Stack


@dataclass(frozen=True)
class Upstream:
    """A server that runs a real model. url: without a path; model: its name for it; running: asks how many requests it
    works on.
    """

    url: str
    model: str
    running: Callable[[], int]

    def wait_until_running(self, count: int, *, within_s: float) -> None:
        """Ask until it works on so many requests. Both answer between two tokens, so nothing spins while it is busy."""
        end = time.monotonic() + within_s
        while (running := self.running()) != count:
            assert time.monotonic() < end, f"{running} requests run after {within_s} s, not {count}"


@contextmanager
def llama_cpp_upstream(serve: Serve, *options: str, alias: str = "SmolLM2-135M") -> Iterator[Upstream]:
    """A llama.cpp server of the shipped model under `alias`; options are llama-server's own, such as `--api-key`."""
    with serve(shipped_gguf(), "--alias", alias, "-c", "4096", "-np", "2", "-t", "1", *options) as server:
        yield Upstream(server.url, alias, server.running)


def own_upstream(stack: Stack) -> Upstream:
    """Another stack of ours over HTTP, with its embedded model."""
    return Upstream(stack.url, "meta-reference/SmolLM2-135M-Instruct", lambda: running_at(stack.url))


def running_at(url: str) -> int:
    """How many requests the engine of a stack of ours works on. It says so in its health."""
    message = Stack(url=url).health("meta-reference")["message"]
    return int(message.split(": ")[-1].split(" running")[0])


@dataclass
class Vendor:
    """OpenAI's chat and model list, for those who bring the key. keys: the accepted ones; seen: every request.

    status: what it answers instead, such as 503.
    """

    keys: frozenset[str]
    model: str = "vendor-model"
    status: int | None = None
    port: int = 0
    seen: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@contextmanager
def vendor_server(vendor: Vendor) -> Iterator[Vendor]:
    """Serves until the block ends; again on the same port with the same `vendor`.

    Errors as https://platform.openai.com/docs/guides/error-codes has them.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _answer(self, body: Any) -> None:
            vendor.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            key = self.headers.get("authorization", "").removeprefix("Bearer ")
            if key not in vendor.keys:
                said = {"message": "Incorrect API key provided", "type": "invalid_request_error", "param": None}
                self._send(401, {"error": said | {"code": "invalid_api_key"}})
            elif vendor.status is not None:
                self._send(vendor.status, {"error": {"message": "overloaded", "type": "server_error", "code": None}})
            elif self.path == "/v1/models":
                self._send(200, {"object": "list", "data": [{"id": vendor.model, "object": "model"}]})
            elif self.path == "/v1/chat/completions":
                message = {"role": "assistant", "content": f"from the vendor, {body['model']}"}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
                shown = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"]}
                self._send(200, shown | {"choices": [choice], "usage": usage})
            else:
                self._send(404, {"error": {"message": "no such route", "type": "invalid_request_error"}})

        def _send(self, status: int, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        allow_reuse_address = True
        daemon_threads = True
        connections: ClassVar[list[socket.socket]] = []

        def get_request(self) -> tuple[socket.socket, Any]:
            connection, address = super().get_request()
            self.connections.append(connection)
            return connection, address

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A connection that is cut off at the end is no error."""

    server = Server(("127.0.0.1", vendor.port), Handler)
    vendor.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        server.server_close()
        for connection in server.connections:
            # Those that are kept open between requests would be answered still.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()
