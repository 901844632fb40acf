"""When the first event of a stream comes: directly from the upstream, and through a server.

One connection, one request after the other, directly and through the server in turn, so that a busy neighbour meets
both. Knows HTTP as far as the mock upstream and the servers write it.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import NamedTuple
from urllib.parse import urlsplit

from scripts.bench.servers import Server

_REQUESTS, _WARM_UP = 200, 20
_LIMIT_S = 20.0
_END = b"0\r\n\r\n"
"""The last chunk of a chunked body, RFC 9112, 7.1."""


def delays_ms(mock: str, server: Server, *, model: str) -> list[float]:
    """How much later each first event comes through `server`, in milliseconds."""
    address = urlsplit(mock)
    assert address.hostname is not None and address.port is not None
    with (
        socket.create_connection((address.hostname, address.port), _LIMIT_S) as direct,
        socket.create_connection(("127.0.0.1", server.port), _LIMIT_S) as through,
    ):
        delays = []
        for turn in range(_WARM_UP + _REQUESTS):
            alone_s, with_server_s = _first_event_s(direct, model.rpartition("/")[2]), _first_event_s(through, model)
            if turn >= _WARM_UP:
                delays.append((with_server_s - alone_s) * 1000)
        return delays


def _first_event_s(connection: socket.socket, model: str) -> float:
    """Seconds from the request to the first event; reads the stream to its end. Raises OSError."""
    body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "hello"}]}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    asked = time.perf_counter()
    connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    answer, first = b"", None
    while not answer.endswith(_END):
        data = connection.recv(65536)
        if not data:
            raise OSError(f"the stream broke off: {answer[-300:]!r}")
        answer += data
        if first is None and b"data: " in answer:
            first = time.perf_counter() - asked
    assert first is not None
    return first


class Connections(NamedTuple):
    """The mock upstream's connections: how many it has accepted so far, and how many are open."""

    accepted: int
    open: int


def connections(mock: str) -> Connections:
    """Without the one by which this asks."""
    address = urlsplit(mock)
    asked = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_LIMIT_S)
    try:
        asked.request("GET", "/connections")
        found = json.loads(asked.getresponse().read())
        return Connections(accepted=found["accepted"] - 1, open=found["open"] - 1)
    finally:
        asked.close()
