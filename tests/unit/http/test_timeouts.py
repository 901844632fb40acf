"""How long each phase of a call may take, and what an error says that names the phase and its setting."""

from __future__ import annotations

import asyncio
import socket
import time
import traceback
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.upstream import Upstream
from runtime.http.network import Network
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing
from tests.support.calls import SECRET, chat, failure, reaching


async def slow_body(request: web.Request) -> web.StreamResponse:
    """An answer that begins at once, and then goes on for ever, a byte every 10 ms."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b" ")
        await asyncio.sleep(0.01)


async def silent_body(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    await answer.write(b" ")
    await asyncio.Event().wait()
    return answer


async def only_headers(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    await asyncio.Event().wait()
    return answer


async def silence(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("timeout", "misbehaves", "words", "setting"),
    [
        ({"total": 0.2, "read": 60}, slow_body, "did not complete its answer within 0.2 s", "total"),
        ({"total": 0.05}, silence, "did not complete its answer within 0.05 s", "total"),
        ({"first_byte": 0.05, "read": 60}, silence, "did not begin to answer within 0.05 s", "first_byte"),
        ({"first_byte": 0.05, "read": 60}, only_headers, "did not begin to answer within 0.05 s", "first_byte"),
        ({"first_byte": 60, "read": 0.05}, silent_body, "did not go on with its answer within 0.05 s", "read"),
        ({"first_byte": 60, "between_bytes": 0.05}, silent_body, "did not go on with its answer within 0.05 s", "read"),
        (0.05, silence, "did not begin to answer within 0.05 s", "first_byte"),
        ("0.05", silent_body, "did not go on with its answer within 0.05 s", "read"),
    ],
)
async def test_a_call_ends_by_the_limit_of_its_phase_and_names_it(
    upstream: Upstream, timeout: Any, misbehaves: Any, words: str, setting: str
) -> None:
    upstream.misbehaves = misbehaves
    async with reaching(timeout=timeout) as client:
        begun = time.monotonic()
        error = await failure(client.reply(chat(upstream)))
        assert (error.status, error.code) == (504, "upstream_timeout")
        assert error.message == f"`acme` {words} ({upstream.url}/chat/completions)"
        assert error.hint == f"`network.timeout.{setting}` in its config sets this limit"
        assert time.monotonic() - begun < 10


async def test_a_connection_that_is_not_accepted_in_time_names_its_limit() -> None:
    with socket.socket() as full:  # its queue has one place, and the next one is left without an answer
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(2)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        async with reaching(timeout={"connect": 0.1}) as client:
            url = f"http://127.0.0.1:{address[1]}/?auth={SECRET}"
            error = await failure(client.reply(Outgoing(method="GET", url=url)))
        for one in waiting:
            one.close()
    assert SECRET not in "".join(traceback.format_exception(error))  # nor in a cause
    assert error.status == 504
    assert "did not accept a connection within 0.1 s" in error.message
    assert error.hint == "`network.timeout.connect` in its config sets this limit"


async def test_the_search_for_a_server_s_address_is_part_of_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    async with reaching(timeout={"connect": 0.1, "read": 60}) as client, asyncio.timeout(10):
        error = await failure(client.reply(Outgoing(method="GET", url="http://acme.example/")))
    assert (error.status, "did not accept a connection within 0.1 s" in error.message) == (504, True)


async def test_a_server_that_stops_reading_the_request_names_the_limit() -> None:
    writers: list[asyncio.StreamWriter] = []

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with reaching(timeout={"read": 0.1, "first_byte": 60}) as client:
            error = await failure(client.reply(Outgoing(method="POST", url=url, body=b"x" * (64 << 20))))
        for writer in writers:
            writer.transport.abort()
    assert "did not go on reading the request within 0.1 s" in error.message
    assert error.hint == "`network.timeout.read` in its config sets this limit"


async def test_the_first_byte_may_take_longer_than_the_silence_after_it(upstream: Upstream) -> None:
    async def late(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.15)
        return web.json_response({})

    upstream.misbehaves = late
    async with reaching(timeout={"first_byte": 60, "read": 0.05}) as client:
        assert (await client.reply(chat(upstream))).data == b"{}"


def test_limits_of_the_config_come_before_the_provider_s_own() -> None:
    own = Timeouts(connect_s=1, read_s=2, first_byte_s=3, total_s=4)
    stated = Network.model_validate({"timeouts": {"connect": 5}}).timeout
    assert stated is not None and stated.over(own) == Timeouts(connect_s=5, read_s=2, first_byte_s=3, total_s=4)
    both = Network.model_validate({"timeout": 7}).timeout
    assert both is not None and both.over(own) == Timeouts(connect_s=7, read_s=7, total_s=4)


async def test_a_call_does_not_wait_for_ever_for_a_connection(upstream: Upstream) -> None:
    upstream.gate.clear()
    async with reaching(limits={"max_connections": 1}, timeout={"read": 0.2}) as client:
        asking = chat(upstream, stream=True)
        holding = await client.exchange(asking)
        async with asyncio.timeout(4):
            error = await failure(client.exchange(Outgoing(method="GET", url=f"{upstream.url}/models")))
        await holding.close()
    assert (error.status, "had no free connection within 0.2 s" in error.message) == (504, True)
    assert error.hint is not None and "network.limits.max_connections" in error.hint
