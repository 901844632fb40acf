"""Clients that leave, over a real socket: the work for them ends, whatever state the connection is in."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.stacks import Served
from runtime.server import http1, unread
from runtime.server.app import make_app
from tests.support.house import Prober
from tests.support.raw_http import LIMIT_S, Listening, listening

HOST = b"host: localhost\r\n\r\n"
LOOK = b"GET /v1/things/a HTTP/1.1\r\n" + HOST
TELL = b"POST /v1/tell HTTP/1.1\r\n" + HOST


@pytest_asyncio.fixture
async def door(served: Served) -> AsyncIterator[Listening]:
    async with listening(make_app(served.stack, hosts=[], starts_stack=False)) as running:
        yield running


class Stall:
    """Waits where a prober asks for it, until `may_go_on` is set. reached: set once somebody waits."""

    def __init__(self) -> None:
        self.reached, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self.may_go_on.wait()


async def test_leaving_is_noticed_after_a_large_body(door: Listening, prober: Prober) -> None:
    """uvicorn stops reading while much of a body waits for the application."""
    prober.before_answer = stall = Stall()
    body = json.dumps({"name": "n" * 70_000}).encode()
    async with door.connection() as connection, asyncio.timeout(LIMIT_S):
        await connection.send(b"POST /v1/things/a HTTP/1.1\r\ncontent-length: %d\r\n" % len(body) + HOST)
        (served_by,) = await connections(door)
        while served_by.cycle is None:
            await asyncio.sleep(0)
        for _ in range(10):  # until the application waits for the body, which then comes in one read
            await asyncio.sleep(0)
        await connection.send(body)
        await stall.reached.wait()
        connection.writer.transport.abort()
        await prober.ended.wait()


async def connections(door: Listening) -> list[Any]:
    while not door.server.server_state.connections:
        await asyncio.sleep(0)
    return list(door.server.server_state.connections)


@pytest.mark.parametrize("request_", [LOOK, TELL], ids=["whole", "stream"])
async def test_leaving_while_an_answer_is_stopped_does_not_interrupt_its_finally(
    door: Listening, prober: Prober, request_: bytes
) -> None:
    prober.before_answer, prober.before_release = Stall(), Stall()
    async with door.connection() as connection, asyncio.timeout(LIMIT_S):
        await connection.send(request_)
        await prober.before_answer.reached.wait()
        assert door.ongoing.end("the server is stopping") == 1
        await prober.before_release.reached.wait()
        connection.writer.transport.abort()
        while door.server.server_state.connections:
            await asyncio.sleep(0)
        prober.before_release.may_go_on.set()
        await prober.ended.wait()
        while door.server.server_state.tasks:
            await asyncio.sleep(0)


@pytest.mark.parametrize("request_", [LOOK, TELL], ids=["whole", "stream"])
async def test_stopping_an_answer_whose_client_has_left_does_not_interrupt_its_finally(
    door: Listening, prober: Prober, request_: bytes
) -> None:
    prober.before_answer, prober.before_release = Stall(), Stall()
    async with door.connection() as connection, asyncio.timeout(LIMIT_S):
        await connection.send(request_)
        await prober.before_answer.reached.wait()
        connection.writer.transport.abort()
        await prober.before_release.reached.wait()
        assert door.ongoing.end("the server is stopping") == 1
        prober.before_release.may_go_on.set()
        await prober.ended.wait()
        while door.server.server_state.tasks:
            await asyncio.sleep(0)


async def test_leaving_with_requests_in_line_ends_the_one_that_runs(
    door: Listening, prober: Prober, caplog: pytest.LogCaptureFixture
) -> None:
    prober.before_event = stall = Stall()
    async with door.connection() as connection, asyncio.timeout(LIMIT_S):
        await connection.send(TELL + LOOK)
        await stall.reached.wait()
        (served_by,) = await connections(door)
        assert len(served_by.pipeline) == 1
        connection.writer.transport.abort()
        await prober.ended.wait()
        while door.server.server_state.tasks:
            await asyncio.sleep(0)
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_what_follows_a_request_and_is_none_ends_it(
    door: Listening, prober: Prober, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http1, "LINGER_S", LIMIT_S * 2)  # so that it is not the end of the connection that ends it
    prober.before_answer, prober.before_release = Stall(), Stall()
    async with door.connection() as connection, asyncio.timeout(LIMIT_S):
        await connection.send(LOOK)
        await prober.before_answer.reached.wait()
        await connection.send(b"nonsense\r\n\r\n")
        assert (await connection.answer()).status == 400
        await prober.before_release.reached.wait()
        connection.writer.transport.abort()
        while door.server.server_state.connections:
            await asyncio.sleep(0)
        prober.before_release.may_go_on.set()
        await prober.ended.wait()


@pytest.mark.parametrize("moment", ["before_answer", "before_event"])
async def test_the_next_request_on_a_connection_is_served_after_one_that_was_stopped(
    door: Listening, prober: Prober, moment: str
) -> None:
    stall = Stall()
    setattr(prober, moment, stall)
    async with door.connection() as connection, asyncio.timeout(LIMIT_S):
        await connection.send(TELL)
        await stall.reached.wait()
        assert door.ongoing.end("the server is stopping") == 1
        if moment == "before_answer":
            assert (await connection.answer()).status == 503
        else:
            assert b"server_stopping" in await connection.reader.readuntil(b"\r\n0\r\n\r\n")
        stall.may_go_on.set()
        await connection.send(LOOK)
        assert (await connection.answer()).status == 200


async def test_a_request_that_is_not_complete_when_the_server_stops_is_a_503(served: Served) -> None:
    async with listening(make_app(served.stack, hosts=[], starts_stack=False), drain_timeout_s=0.1) as door:
        door.server.config.timeout_graceful_shutdown = 0  # how long uvicorn waits for what we do not end
        async with door.connection() as connection, asyncio.timeout(LIMIT_S):
            await connection.send(b"POST /v1/things/a HTTP/1.1\r\ncontent-length: 10\r\n" + HOST)
            while not door.server.server_state.tasks:
                await asyncio.sleep(0)
            door.server.should_exit = True
            answer = await connection.answer()
    assert (answer.status, answer.json()["error"]["code"]) == (503, "server_stopping")


ENDLESS = json.dumps({"events": 10**9}).encode()
UNREAD = b"POST /v1/tell HTTP/1.1\r\ncontent-length: %d\r\n" % len(ENDLESS) + HOST + ENDLESS


async def test_a_client_that_reads_nothing_of_its_answer_is_left(
    door: Listening, prober: Prober, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread, "UNREAD_LIMIT_S", 0.05)
    async with door.connection() as connection, asyncio.timeout(LIMIT_S):
        await connection.send(UNREAD)
        await prober.ended.wait()


async def test_a_client_may_read_slowly(door: Listening, prober: Prober) -> None:
    async with door.connection() as connection, asyncio.timeout(LIMIT_S):
        await connection.send(UNREAD)
        (served_by,) = await connections(door)
        watcher = served_by._unread
        while watcher._timer is None:  # until what waits is too much
            await asyncio.sleep(0)
        waits = served_by.transport.get_write_buffer_size()
        watcher._end(waits + 1)  # the limit is over, and some was read
        assert not served_by.transport.is_closing() and watcher._timer is not None
        limit = watcher._timer
        while watcher._timer is limit:  # reading takes it back; then more waits
            await connection.reader.read(2**16)
        assert limit.cancelled() and not prober.ended.is_set()
