"""Recordings of calls to other servers: stands between a provider's request, which has no key yet, and its server.

A request is answered from the library, or sent and its answer kept once it has been read to its end. A body that comes
in parts is read first, since what it is decides which recording answers it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

import msgspec

from runtime.errors import RequestError
from runtime.http.transport import EVENT_STREAM, Exchange, GoOn, Outgoing, close_parts, media_type
from runtime.recording.bodies import content_type, place_of, readable, written
from runtime.recording.documents import Recording
from runtime.recording.pace import in_time, timing_of
from runtime.recording.reading import Reading
from runtime.recording.session import Session
from runtime.recording.streams import event_bytes, form_of
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
            return _Recorded(found.answer, session.is_timed)
        began = time.monotonic()
        exchange = await go_on(whole)
        return _Kept(exchange, session, Recording(provider=self._provider, request=shown, answer={}, scope=scope),
                     request, began)  # fmt: skip


class _Recorded:
    """An answer from a recording; implements `Exchange`."""

    proxy = ""

    def __init__(self, answer: Json, is_timed: bool) -> None:
        self.status: int = answer.get("status", 200)
        self.headers: Mapping[str, str] = answer.get("headers", {})
        self._answer = answer
        self._is_timed = is_timed

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        if "events" not in self._answer:
            yield written(self._answer)
            return
        async for event in in_time(self._answer, is_timed=self._is_timed):
            yield event_bytes(event)

    async def close(self) -> None:
        """Nothing is held."""


class _Kept:
    """An answer that is recorded while it is read, as far as it comes; implements `Exchange`.

    call: the request as the provider made it, by which its attempts are known. began: when it was sent, by
    `time.monotonic`.
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
        self._reading: Reading[bytes] | None = None
        self._secrets = list(session.secrets_of_caller())

    @property
    def proxy(self) -> str:
        return self._exchange.proxy

    async def read(self) -> bytes:
        if self._reading is None:
            self._reading = Reading(_at_once(self._exchange), self._keep)
        return b"".join([piece async for piece in self._reading])

    async def chunks(self) -> AsyncIterator[bytes]:
        async for piece in self._begun():
            yield piece

    async def close(self) -> None:
        """Whoever leaves before the end does not wait for it. What only tells of changes has none."""
        reading = self._begun()
        if reading.came and (self._only_tells or _says_end(reading)):
            await reading.stop()
        if reading.is_over:
            await self._exchange.close()
        else:
            self._session.later(self._drained(reading))

    def _begun(self) -> Reading[bytes]:
        if self._reading is None:
            self._reading = Reading(self._exchange.chunks(), self._keep)
        return self._reading

    async def _drained(self, reading: Reading[bytes]) -> None:
        try:
            async with asyncio.timeout(_DRAIN_S):
                async for _ in reading:
                    if _says_end(reading):
                        break
        except TimeoutError:
            pass
        finally:
            await reading.stop()
            await self._exchange.close()

    @property
    def _only_tells(self) -> bool:
        """Whether a stream tells of what changes, for as long as somebody listens."""
        return self._recording.request["method"] == "GET" and media_type(self.headers) == EVENT_STREAM

    def _keep(self, error: BaseException | None) -> None:
        assert self._reading is not None, "it has ended"
        pieces = self._reading.came
        if error is not None and not pieces:
            return
        body = b"".join(piece for _, piece in pieces)
        answer: Json = {"status": self.status, "headers": dict(self.headers)}
        kind = self.headers.get("content-type", "")
        form = form_of(kind)
        events = form.shown(body) if form is not None else None
        if form is None or events is None:
            answer |= readable(body, kind)
        else:
            counted = _counted(pieces, len(events), form.counting())
            answer |= {"events": events, "timing": timing_of(self._began, counted)}
        self._recording.answer = self._session.hiding.answer(answer, also=self._secrets)
        self._session.keep(self._recording, call=self._call, may_pass=self.status in PASSING)


async def _at_once(exchange: Exchange) -> AsyncIterator[bytes]:
    yield await exchange.read()


def _says_end(reading: Reading[bytes]) -> bool:
    """Whether a stream has said that it is complete, after which some servers keep the connection open."""
    return bool(reading.came) and reading.came[-1][1].rstrip().endswith(b"[DONE]")


def _counted(
    pieces: Sequence[tuple[float, bytes]], events: int, ended_in: Callable[[bytes], int]
) -> Iterator[tuple[float, int]]:
    """When each piece came, and how many events ended with it; with the last one, all that are left."""
    left = events
    for place, (at, piece) in enumerate(pieces, start=1):
        count = left if place == len(pieces) else min(ended_in(piece), left)
        left -= count
        yield at, count


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
    shown: Json = {"method": request.method, **place_of(request.url)}
    if request.headers:
        shown["headers"] = dict(request.headers)
    if request.body:
        assert isinstance(request.body, bytes), "read before"
        shown |= readable(request.body, given := request.headers.get("content-type", ""))
        if given:
            shown["headers"]["content-type"] = content_type(shown, given)
    return shown
