"""Recordings of calls to other servers: stands between a provider's request, which has no key yet, and its server.

A request is answered from the library, or sent and its answer kept once it has been read to its end. A body that comes
in parts is read first, since what it is decides which recording answers it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from urllib.parse import parse_qsl, urlsplit

import msgspec

from runtime.errors import RequestError
from runtime.http.transport import Exchange, GoOn, Outgoing, close_parts, server_of
from runtime.recording.bodies import event_bytes, readable, written
from runtime.recording.documents import Recording
from runtime.recording.rules import repeating
from runtime.recording.session import Session
from runtime.sse import Json

_LONGEST_BODY = 256 * 1024 * 1024
_DRAIN_S = 60.0
"""How long an answer whose reader has left is read on, so that it is recorded whole."""
PASSING = (408, 409, 425, 429, 498, 500, 502, 503, 504, 529)
"""Refusals after which a provider may send the same request again: only how its last attempt ended is kept."""


class UpstreamRecorder:
    """Implements `Between` for one provider. provider: `api/id`."""

    def __init__(self, session: Session, provider: str) -> None:
        self._session = session
        self._provider = provider

    async def __call__(self, request: Outgoing, go_on: GoOn) -> Exchange:
        session = self._session
        try:
            whole = await _whole(request)
            shown = session.hiding.request(_shown(whole), also=session.secrets_of_caller())
        finally:
            if not isinstance(request.body, bytes | None):
                await close_parts(request.body)
        scope = session.scope()
        found = session.find(scope, self._provider, shown)
        if found is not None:
            return _Recorded(found.answer, shown, session.is_timed)
        began = time.monotonic()
        exchange = await go_on(whole)
        return _Kept(exchange, session, Recording(provider=self._provider, request=shown, answer={}, scope=scope),
                     request, began)  # fmt: skip


class _Recorded:
    """An answer from a recording; implements `Exchange`."""

    proxy = ""

    def __init__(self, answer: Json, request: Json, is_timed: bool) -> None:
        self.status: int = answer.get("status", 200)
        self.headers: Mapping[str, str] = answer.get("headers", {})
        self._answer = answer
        self._request = request
        self._is_timed = is_timed

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        timing = self._answer.get("timing") or {}
        if self._is_timed:
            await asyncio.sleep(timing.get("began_ms", 0) / 1000)
        if "events" not in self._answer:
            if "json" in self._answer:
                yield written({"json": repeating(self._answer["json"], self._request)})
            else:
                yield written(self._answer)
            return
        passed_ms, times = 0.0, timing.get("events_ms") or []
        for place, event in enumerate(self._answer["events"]):
            if self._is_timed and place < len(times):
                await asyncio.sleep(max(0.0, times[place] - passed_ms) / 1000)
                passed_ms = times[place]
            data = event.get("data")
            yield event_bytes(event | {"data": repeating(data, self._request)} if isinstance(data, dict) else event)

    async def close(self) -> None:
        """Nothing is held."""


class _Kept:
    """An answer that is recorded while it is read; implements `Exchange`. call: the request as the provider made it,
    by which its attempts are known.
    """

    def __init__(
        self, exchange: Exchange, session: Session, recording: Recording, call: Outgoing, began: float
    ) -> None:
        self.status, self.headers = exchange.status, exchange.headers
        self._exchange = exchange
        self._session = session
        self._recording = recording
        self._call = call
        self._began = began
        self._pieces: list[tuple[float, bytes]] = []
        self._reading: AsyncIterator[bytes] | None = None
        self._is_over = False
        self._secrets = list(session.secrets_of_caller())

    @property
    def proxy(self) -> str:
        return self._exchange.proxy

    async def read(self) -> bytes:
        body = await self._exchange.read()
        self._pieces.append((time.monotonic(), body))
        self._keep()
        return body

    async def chunks(self) -> AsyncIterator[bytes]:
        async for piece in self._rest():
            yield piece

    async def close(self) -> None:
        """Whoever leaves before the end does not wait for it. What only tells of changes has none."""
        if self._recording.request["method"] == "GET" and self._pieces:
            self._keep()
        if self._is_over:
            await self._exchange.close()
        else:
            self._session.later(self._drained())

    async def _rest(self) -> AsyncIterator[bytes]:
        """What has not been read, and keeps it all at the end."""
        if self._reading is None:
            self._reading = self._exchange.chunks()
        async for piece in self._reading:
            self._pieces.append((time.monotonic(), piece))
            yield piece
        self._keep()

    async def _drained(self) -> None:
        try:
            async with asyncio.timeout(_DRAIN_S):
                async for _ in self._rest():
                    pass
        except TimeoutError:
            self._keep()
        finally:
            await self._exchange.close()

    def _keep(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        body = b"".join(piece for _, piece in self._pieces)
        kind = next((value for name, value in self.headers.items() if name.lower() == "content-type"), "")
        answer: Json = {"status": self.status, "headers": dict(self.headers), **readable(body, kind)}
        if "events" in answer:
            answer["timing"] = self._timing(len(answer["events"]))
        self._recording.answer = self._session.hiding.answer(answer, also=self._secrets)
        self._session.keep(self._recording, call=self._call, may_pass=self.status in PASSING)

    def _timing(self, events: int) -> Json:
        """When the first byte came, and after that each event, in whole milliseconds."""
        first = self._pieces[0][0] if self._pieces else self._began
        times: list[int] = []
        for at, piece in self._pieces:
            count = piece.replace(b"\r\n", b"\n").count(b"\n\n")
            times += [round((at - first) * 1000)] * count
        times += [times[-1] if times else 0] * (events - len(times))
        return {"began_ms": round((first - self._began) * 1000), "events_ms": times[:events]}


async def _whole(request: Outgoing) -> Outgoing:
    """The request with its body in one piece."""
    if isinstance(request.body, bytes | None):
        return request
    parts, size = [], 0
    async for part in request.body:
        parts.append(part)
        size += len(part)
        if size > _LONGEST_BODY:
            raise RequestError("A body of more than 256 MB cannot be recorded", hint="run this one with `--live`")
    return msgspec.structs.replace(request, body=b"".join(parts), size=None)


def _shown(request: Outgoing) -> Json:
    """A request as a recording has it."""
    parts = urlsplit(request.url)
    shown: Json = {"method": request.method, "server": server_of(request.url), "path": parts.path or "/"}
    if parts.query:
        shown["query"] = [list(pair) for pair in parse_qsl(parts.query, keep_blank_values=True)]
    if request.headers:
        shown["headers"] = dict(request.headers)
    if request.body:
        assert isinstance(request.body, bytes), "read before"
        kind = next((value for name, value in request.headers.items() if name.lower() == "content-type"), "")
        shown |= readable(request.body, kind)
    return shown
