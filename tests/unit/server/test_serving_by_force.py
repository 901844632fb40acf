"""A server that is stopped by force: streams end with what they are let say, and nothing is waited for long.

The streams are those of an application made here, which stands in for ours.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from runtime.errors import StackError
from runtime.server import serving
from runtime.server.ongoing import Ongoing
from tests.support.raw_http import LIMIT_S, Connection, Listening, listening

LAST_WORDS = b'data: {"error": {"message": "the server is stopping"}}\n\n'


class Streams:
    """An application each of whose answers goes on until it is ended; `obeys`: whether it then ends."""

    def __init__(self, *, obeys: bool = True) -> None:
        self.reasons: list[str] = []
        self.ongoing = Ongoing()
        self._obeys = obeys
        self._ended = asyncio.Event()

    def stop(self, error: StackError) -> None:
        self.reasons.append(error.message)
        if self._obeys:
            self._ended.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        self.ongoing.answers.add(self)
        await self._ended.wait()
        self.ongoing.answers.discard(self)
        await send({"type": "http.response.body", "body": LAST_WORDS, "more_body": False})


@asynccontextmanager
async def in_the_middle_of_a_stream(
    streams: Streams,
    *,
    drain_timeout_s: float,
    on_drain: Callable[[str], None] = lambda reason: None,
) -> AsyncIterator[tuple[Listening, Connection]]:
    async with (
        listening(streams, drain_timeout_s=drain_timeout_s, on_drain=on_drain) as running,
        running.connection() as client,
        asyncio.timeout(LIMIT_S),
    ):
        await client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await client.reader.readuntil(b"data: 1\n\n")
        yield running, client


async def test_a_second_signal_lets_streams_say_that_they_are_cut_short() -> None:
    streams = Streams()
    async with in_the_middle_of_a_stream(streams, drain_timeout_s=60) as (running, client):
        running.server.handle_exit(signal.SIGINT, None)
        running.server.handle_exit(signal.SIGTERM, None)
        rest = await client.ended()
        await running.ended
    assert LAST_WORDS in rest and rest.endswith(b"0\r\n\r\n")
    assert (streams.reasons, running.server.force_exit) == (["the server is stopping"], True)


async def test_the_end_of_the_drain_lets_streams_say_that_they_are_cut_short() -> None:
    streams = Streams()
    async with in_the_middle_of_a_stream(streams, drain_timeout_s=0.2) as (running, client):
        running.server.handle_exit(signal.SIGTERM, None)
        assert LAST_WORDS in await client.ended()
        await running.ended
    assert not running.server.force_exit


async def test_a_stream_that_does_not_end_holds_nothing_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_LAST_WORDS_S", 0.1)
    began = time.monotonic()
    async with in_the_middle_of_a_stream(Streams(obeys=False), drain_timeout_s=60) as (running, _):
        running.server.handle_exit(signal.SIGINT, None)
        running.server.handle_exit(signal.SIGINT, None)
        await running.ended
    assert running.server.force_exit and time.monotonic() - began < 5


async def test_a_signal_runs_nothing_in_the_middle_of_what_it_interrupts() -> None:
    streams = Streams()
    drains: list[str] = []
    async with in_the_middle_of_a_stream(streams, drain_timeout_s=60, on_drain=drains.append) as (
        running,
        client,
    ):
        running.server.handle_exit(signal.SIGTERM, None)
        assert drains == []
        await asyncio.sleep(0)
        assert drains == ["1 request running"]
        streams.ongoing.end("")
        assert LAST_WORDS in await client.ended()
