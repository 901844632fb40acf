"""A server at the level of bytes, for answers that no server of ours gives, and what such answers are made of."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n%b\r\n"


@contextmanager
def server(*answers: bytes) -> Iterator[tuple[str, list[Any]]]:
    """Answers one request after another with these bytes and closes each connection. Gives address and bodies seen,
    those that are no JSON as bytes.
    """
    seen: list[Any] = []

    def serve() -> None:
        for answer in answers:
            try:
                connection, _ = listener.accept()
            except OSError:  # it was asked less often
                return
            with connection, connection.makefile("rb") as request:
                length = 0
                while (line := request.readline()).strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                body = request.read(length)
                seen.append(json.loads(body or b"null") if body[:1] in (b"", b"{", b"[") else body)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def event(content: str | None = None, *, finish: str | None = None, index: int = 0) -> bytes:
    delta = {} if content is None else {"content": content}
    return (
        b"data: %b\n\n" % json.dumps({"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}).encode()
    )


def closed(*parts: bytes, kind: bytes = b"text/event-stream") -> bytes:
    """An answer that ends with its connection."""
    return HEAD % (kind, b"") + b"".join(parts)


def chunked(*parts: bytes, is_whole: bool = True) -> bytes:
    """In chunks, as servers of ours send it; without the last one unless it is whole."""
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return (
        HEAD % (b"text/event-stream", b"transfer-encoding: chunked\r\n") + pieces + (b"0\r\n\r\n" if is_whole else b"")
    )


def sized(body: bytes, *, missing: int = 0, kind: bytes = b"application/json") -> bytes:
    return HEAD % (kind, b"content-length: %d\r\n" % (len(body) + missing)) + body


DONE = b"data: [DONE]\n\n"
