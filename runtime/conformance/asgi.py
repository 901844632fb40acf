"""Drives an ASGI application in process: whole answers, streams chunk by chunk, and clients that leave.

Holds the application to the protocol as it goes: one start, no body before it, nothing after the end. Knows no API of
ours.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

LIMIT_S = 20.0
"""How long a test waits for what must come; reaching it is a failure."""


@dataclass(frozen=True)
class Answered:
    """A whole answer. headers: lower-case names; a name that came twice keeps both values, joined by `, `."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The `error` of OpenAI's shape; fails the test where the answer is no error."""
        body = self.json()
        assert set(body) == {"error", "request_id"} and body["request_id"] == self.headers["x-request-id"], body
        assert set(body["error"]) == {"message", "type", "param", "code"}, body
        found: dict[str, Any] = body["error"]
        return found

    def payloads(self) -> list[str]:
        """The `data` of each server-sent event."""
        events = [block for block in self.body.decode().split("\n\n") if block]
        return [
            line.removeprefix("data: ") for block in events for line in block.split("\n") if line.startswith("data:")
        ]

    def events(self) -> list[Any]:
        """The JSON of each server-sent event; `[DONE]` must be the last and is left out."""
        payloads = self.payloads()
        assert payloads[-1] == "[DONE]" and payloads.count("[DONE]") == 1, payloads
        return [json.loads(payload) for payload in payloads[:-1]]


class Call:
    """One request under way. `leave` is the client closing its connection."""

    def __init__(self, app: Any, scope: dict[str, Any], body: list[bytes], *, is_whole: bool) -> None:
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._started = self._finished = False
        for place, part in enumerate(body):
            more = not is_whole or place < len(body) - 1
            self._to_app.put_nowait({"type": "http.request", "body": part, "more_body": more})
        self.task = asyncio.create_task(app(scope, self._to_app.get, self._send))

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert not self._started, "the answer started twice"
            self._started = True
        else:
            assert message["type"] == "http.response.body", message
            assert self._started and not self._finished, "a body before the start, or after the end"
            self._finished = not message.get("more_body", False)
        self._from_app.put_nowait(message)

    async def _next(self) -> dict[str, Any] | None:
        """The application's next message, None once it has returned. Its failure is ours."""
        coming = asyncio.create_task(self._from_app.get())
        try:
            async with asyncio.timeout(LIMIT_S):
                await asyncio.wait((coming, self.task), return_when=asyncio.FIRST_COMPLETED)
            if not coming.done() and self._from_app.empty():
                self.task.result()
                return None
            return await coming
        finally:
            coming.cancel()

    async def start(self) -> tuple[int, dict[str, str]]:
        """Status and headers, once they are there."""
        message = await self._next()
        assert message is not None and message["type"] == "http.response.start", "the application answered nothing"
        headers: dict[str, str] = {}
        for name, value in message["headers"]:
            key = name.decode("latin-1").lower()
            headers[key] = f"{headers[key]}, {value.decode('latin-1')}" if key in headers else value.decode("latin-1")
        return message["status"], headers

    async def chunk(self) -> bytes | None:
        """The next piece of the body, None at its end."""
        message = await self._next()
        return None if message is None else message.get("body", b"")

    async def rest(self) -> bytes:
        body = b""
        while (data := await self.chunk()) is not None:
            body += data
        return body

    def send(self, part: bytes) -> None:
        """The last piece of a body that was not whole."""
        self._to_app.put_nowait({"type": "http.request", "body": part, "more_body": False})

    async def leave(self) -> None:
        """Close the connection and wait until the application has returned."""
        self._to_app.put_nowait({"type": "http.disconnect"})
        async with asyncio.timeout(LIMIT_S):
            await self.task


class Client:
    """Requests to one application."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str | bytes] | None = None,
        body: bytes | list[bytes] = b"",
        is_whole: bool = True,
    ) -> Call:
        """Begin a request. path: with its query. body: a list comes in as many pieces. is_whole: False
        where more of it is announced that never comes.
        """
        raw_path, _, query = path.partition("?")
        pieces = body if isinstance(body, list) else [body]
        sent = [] if "host" in (headers or {}) else [(b"host", b"stack.test")]
        if isinstance(body, bytes) and body and "content-length" not in (headers or {}):
            sent.append((b"content-length", b"%d" % len(body)))
        for name, value in (headers or {}).items():
            sent.append((name.lower().encode(), value if isinstance(value, bytes) else value.encode("latin-1")))
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": unquote(raw_path), "raw_path": raw_path.encode(), "query_string": query.encode(),
            "root_path": "", "headers": sent, "client": ("127.0.0.1", 1), "server": ("stack.test", 80), "state": {},
        }  # fmt: skip
        return Call(self.app, scope, pieces, is_whole=is_whole)

    async def request(self, method: str, path: str, *, json: Any = None, **facts: Any) -> Answered:
        """The whole answer. json: sent as the body."""
        if json is not None:
            facts["body"] = _encoded(json)
            facts["headers"] = {"content-type": "application/json", **facts.get("headers", {})}
        call = self.call(method, path, **facts)
        status, headers = await call.start()
        answered = Answered(status, headers, await call.rest())
        async with asyncio.timeout(LIMIT_S):
            await call.task
        return answered

    async def get(self, path: str, **facts: Any) -> Answered:
        return await self.request("GET", path, **facts)

    async def post(self, path: str, json: Any = None, **facts: Any) -> Answered:
        return await self.request("POST", path, json=json, **facts)


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


@asynccontextmanager
async def living(app: Any) -> AsyncIterator[Client]:
    """A client of an application whose lifespan has started; it ends with the block."""
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    life = asyncio.create_task(app(scope, to_app.get, from_app.put))
    to_app.put_nowait({"type": "lifespan.startup"})
    async with asyncio.timeout(LIMIT_S):
        started = await from_app.get()
    assert started["type"] == "lifespan.startup.complete", started
    try:
        yield Client(app)
    finally:
        to_app.put_nowait({"type": "lifespan.shutdown"})
        async with asyncio.timeout(LIMIT_S):
            ended = await from_app.get()
            await life
        assert ended["type"] == "lifespan.shutdown.complete", ended
