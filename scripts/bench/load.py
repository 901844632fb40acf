"""A closed loop of HTTP requests over kept connections: every one answered before its connection sends the next.

Knows HTTP, counts whole answers and the events in them, and cares for its own cost no more than to stay out of the way.
Any answer but 200 with the events that were promised ends the run: what is fast because it fails is not fast.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, cast

import httptools
import uvloop


class WrongAnswer(Exception):
    """A server answered with something else than it should."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """One kind of request. events: how many events each answer must have at least; 0 for an answer in one piece."""

    method: str = "POST"
    path: str
    body: dict[str, Any] | None = None
    events: int = 0

    def request(self, port: int) -> bytes:
        body = json.dumps(self.body).encode() if self.body is not None else b""
        head = f"{self.method} {self.path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: */*\r\n"
        if body:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, which is no subclass
        self._next()

    def _next(self) -> None:
        if self._run.left == 0:
            self._transport.close()
            return
        self._run.left -= 1
        self._events, self._tail = 0, b""
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(self._run.request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        if self._run.work.events:
            seen = self._tail + body
            self._events += seen.count(b"\n\n")
            self._tail = b"\n" if seen.endswith(b"\n") and not seen.endswith(b"\n\n") else b""
        else:
            self._tail = body

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status != 200 or self._events < self._run.work.events:
            self._run.fail(f"{self._run.work.path} answered {status} with {self._events} events: {self._tail[:300]!r}")
        else:
            self._run.finished += 1
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.open -= 1
        if self._run.open == 0 and not self._run.done.done():
            self._run.done.set_result(None)


class _Run:
    """What the connections share. left: requests not yet sent; open: connections."""

    def __init__(self, work: Work, port: int, *, requests: int, connections: int) -> None:
        self.work = work
        self.request = work.request(port)
        self.left = requests
        self.finished = 0
        self.open = connections
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(WrongAnswer(reason))
        self.left = 0


def put(work: Work, port: int, *, requests: int, connections: int, limit_s: float = 120.0) -> None:
    """Send so many requests over so many connections and wait for all answers. Raises WrongAnswer, or TimeoutError."""

    async def run() -> None:
        state = _Run(work, port, requests=requests, connections=connections)
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(loop.create_connection(lambda: _Connection(state), "127.0.0.1", port) for _ in range(connections))
        )
        await asyncio.wait_for(state.done, limit_s)
        if state.finished != requests:
            raise WrongAnswer(f"{work.path}: {state.finished} of {requests} requests were answered")

    uvloop.run(run())
