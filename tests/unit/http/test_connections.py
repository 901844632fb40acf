"""Which connections are used again, and what becomes of a request that one has lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from runtime.conformance.upstream import Upstream, refusal
from runtime.context import RequestContext, serving
from runtime.errors import Unavailable, UpstreamUnreachable
from runtime.http.client import HttpClient
from runtime.http.live import sessions
from runtime.http.retries import COUNT, Retries
from runtime.http.transport import Outgoing, json_request
from runtime.providers.inference._openai_compatible.streams import FinishReasons
from runtime.sse import EventStream
from tests.support.calls import answering, chat, failure


async def test_a_connection_is_used_again(upstream: Upstream, client: HttpClient) -> None:
    await client.reply(chat(upstream))
    upstream.misbehaves = answering(lambda: refusal(400, "no"))
    await failure(client.reply(chat(upstream)))
    upstream.misbehaves = None
    await client.reply(chat(upstream))
    assert len(upstream.seen) == 3
    assert len(upstream.connections) == 1


async def test_a_connection_is_used_again_after_a_stream(upstream: Upstream, client: HttpClient) -> None:
    for _ in range(2):
        async for _ in await client.stream(chat(upstream, stream=True), ending=FinishReasons(1)):
            pass
        await client.reply(chat(upstream))
    assert (len(upstream.seen), len(upstream.connections)) == (4, 1)


async def test_a_client_opens_nothing_until_it_sends_and_closes_twice(client: HttpClient) -> None:
    await client.close()
    await client.close()


class OneAnswerAConnection:
    """A server that answers once on each connection and closes it without a word: at once, or as the next request
    comes. aiohttp's own cannot be made to, so this one speaks just enough HTTP.

    answers: to each connection. is_patient: whether it reads one more request before it closes. requests: the first
    line of each that it has read.
    """

    def __init__(self) -> None:
        self.answers = 1
        self.is_patient = False
        self.requests: list[str] = []
        self.connections = 0
        self.closed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        for _ in range(self.answers):
            await self._read(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        if self.is_patient:
            await self._read(reader)
        writer.close()
        self.closed.set()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head.split(b" HTTP")[0].decode())
        if b"content-length: " in head.lower():
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)


@pytest_asyncio.fixture
async def closing_server() -> AsyncIterator[tuple[OneAnswerAConnection, str]]:
    closing = OneAnswerAConnection()
    async with await asyncio.start_server(closing.serve, "127.0.0.1", 0) as server:
        yield closing, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_a_connection_that_was_closed_while_idle_is_not_an_error(
    client: HttpClient, closing_server: tuple[OneAnswerAConnection, str]
) -> None:
    """llama.cpp's server closes after five seconds; here it does so at once."""
    closing, url = closing_server
    for _ in range(4):
        closing.closed.clear()
        assert (await client.reply(json_request(url, {}, headers={}))).data == b"{}"
        await closing.closed.wait()
        for _ in range(5):
            await asyncio.sleep(0)  # the client's side of this loop comes to see it
    assert (len(closing.requests), closing.connections) == (4, 4)


async def test_a_connection_that_lay_idle_for_long_is_not_used_again(
    upstream: Upstream, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server may be closing it at this moment, and a POST that is lost then is not sent again."""
    assert sessions.IDLE_S["http"] < 5.0  # after which uvicorn, llama.cpp and Node close
    monkeypatch.setitem(sessions.IDLE_S, "http", 0.0)
    for _ in range(2):
        await client.reply(chat(upstream))
    assert len(upstream.connections) == 2


async def test_an_answer_that_nobody_has_asked_for_is_not_the_next_caller_s(client: HttpClient) -> None:
    """Some proxies send a 408 over an idle connection. Taken for an answer, it would shift all later ones by one."""
    is_idle, has_spoken = asyncio.Event(), asyncio.Event()
    connections: list[asyncio.Task[None]] = []
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer + await reader.readexactly(len(b'{"a":1}')))
                await is_idle.wait()
                writer.write(answer + b'{"a":9}')
                has_spoken.set()
        writer.close()
        await writer.wait_closed()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.create_task(talk(reader, writer)))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, asyncio.timeout(20):
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        for number in (1, 2, 3):
            is_idle.clear()
            has_spoken.clear()
            assert (await client.reply(json_request(url, {"a": number}))).data == b'{"a":%d}' % number
            is_idle.set()
            await has_spoken.wait()
            for _ in range(5):
                await asyncio.sleep(0)  # the client's side of this loop comes to see it
        await client.close()
        await asyncio.gather(*connections)


async def test_a_post_that_a_used_connection_lost_is_not_sent_again(
    client: HttpClient, closing_server: tuple[OneAnswerAConnection, str]
) -> None:
    """The upstream may have worked on it, and a second time may cost money, or do it twice."""
    closing, url = closing_server
    closing.is_patient = True
    await client.reply(json_request(url, {}, headers={}))
    error = await failure(client.reply(json_request(url, {"second": 1}, headers={})))
    assert (error.status, closing.requests) == (502, ["POST /", "POST /"])
    assert error.hint is not None and "may have processed the request" in error.hint


async def test_a_get_that_a_used_connection_lost_is_asked_again(
    client: HttpClient, closing_server: tuple[OneAnswerAConnection, str]
) -> None:
    closing, url = closing_server
    closing.is_patient = True
    for _ in range(2):
        assert (await client.reply(Outgoing(method="GET", url=url))).data == b"{}"
    assert closing.requests == ["GET /"] * 3


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_that_a_new_connection_lost_is_not_sent_for_ever(
    client: HttpClient, closing_server: tuple[OneAnswerAConnection, str], method: str
) -> None:
    closing, url = closing_server
    closing.answers = 0
    closing.is_patient = True
    assert (await failure(client.reply(Outgoing(method=method, url=url)))).status == 502
    assert closing.connections == (2 if method == "GET" else 1)


async def test_llama_cpp_s_connections_are_not_used_again(client: HttpClient) -> None:
    """Its server promises to keep them, and closes one a moment after a stream: what is sent in that moment is lost."""
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(connections)
        connections.append(0)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(2)
                connections[place] += 1
                body = b"data: [DONE]\n\n"
                head = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=100\r\ncontent-length: %d\r\n\r\n" % len(body)
                writer.write(head + body)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        request = json_request(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, headers={})
        await failure(client.reply(request))  # no JSON; but it has shown who it is
        for _ in range(3):
            async for _ in await client.stream(request, ending=FinishReasons(1)):
                pass
        await failure(client.reply(request))
        await client.close()
    assert connections == [1, 1, 1, 1, 1]


async def test_to_close_a_client_ends_the_streams_that_run_over_it(upstream: Upstream, client: HttpClient) -> None:
    """aiohttp leaves their readers waiting for ever."""
    upstream.gate.clear()
    stream = await client.stream(chat(upstream, stream=True), ending=FinishReasons(1))
    reading = asyncio.create_task(_read(stream))
    await upstream.waiting_at_gate.wait()
    await client.close()
    async with asyncio.timeout(5):
        assert (await failure(reading)).message == "`acme` was stopped"


async def _read(stream: EventStream) -> None:
    async for _ in stream:
        pass


@pytest.mark.parametrize("was_open", [True, False])
async def test_a_closed_client_opens_nothing_again(upstream: Upstream, client: HttpClient, was_open: bool) -> None:
    """A call that waited for its token, say, while its provider was stopped."""
    if was_open:
        await client.reply(chat(upstream))
    await client.close()
    with pytest.raises(Unavailable, match="provider `acme` was stopped"):
        await client.reply(chat(upstream))


async def test_a_post_whose_connection_closed_before_it_was_sent_is_sent_again(
    upstream: Upstream, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it has left this machine. The moment is too short to meet by chance, so the test makes it."""
    connect = aiohttp.TCPConnector.connect
    closes = [True, False]

    async def connect_and_close(self: aiohttp.TCPConnector, *args: Any, **options: Any) -> Any:
        connection = await connect(self, *args, **options)
        if closes.pop(0):
            assert connection.transport is not None
            if sys.version_info >= (3, 12):
                connection.transport.close()
            else:  # a task writes the request, later
                asyncio.get_running_loop().call_soon(connection.transport.close)
        return connection

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", connect_and_close)
    with serving(RequestContext()) as context:
        await client.reply(chat(upstream))
    assert (len(upstream.seen), context.headers[COUNT]) == (1, "1")


async def test_a_server_that_was_not_reached_before_is_down_since_then(
    upstream: Upstream, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.connections.retries = Retries(times=0)
    with socket.socket() as bound:  # refuses
        bound.bind(("127.0.0.1", 0))
        nobody = json_request(f"http://127.0.0.1:{bound.getsockname()[1]}/", {})

        async def words(seconds_later: int) -> str:
            monkeypatch.setattr(time, "time", lambda: began + seconds_later)
            with serving(RequestContext()):
                return (await failure(client.reply(nobody))).message

        began = 1_795_676_591
        assert (await words(0)).endswith("Connection refused")
        assert (await words(180)).endswith("Connection refused (since 2026-11-26T07:03:11Z, 3 minutes ago)")
        assert "since" not in (await failure(client.reply(nobody))).message  # the same words in each health check
        await client.reply(chat(upstream))  # another server of the same provider
        assert (await words(200)).endswith("(since 2026-11-26T07:03:11Z, 3 minutes ago)")
        async with await asyncio.start_server(OneAnswerAConnection().serve, sock=bound):
            assert (await client.reply(nobody)).data == b"{}"
        assert "since" not in await words(300)


async def test_a_server_that_is_up_is_tried_again_although_another_one_is_down(client: HttpClient) -> None:
    connections = client.connections
    away = UpstreamUnreachable("away", provider_id="acme")
    connections.unreachable("http://down.example:8000/v1", away, is_serving=True)
    connections.retries = Retries(within_s=-1)
    assert connections.is_down("http://down.example:8000/v2")
    assert not connections.is_down("http://down.example:9000/v1")
    connections.answered("http://up.example/v1")
    assert connections.is_down("http://down.example:8000/v1")
    connections.answered("http://down.example:8000/v3")
    assert not connections.is_down("http://down.example:8000/v1")


@pytest.fixture
def no_free_handle() -> Iterator[Callable[[], None]]:
    """Takes all files that this process may still open, until the test ends."""
    held: list[int] = []
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    def take() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, limits[0]), limits[1]))
        with contextlib.suppress(OSError):
            while True:
                held.append(os.dup(1))

    yield take
    for handle in held:
        os.close(handle)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_what_this_machine_lacks_is_not_the_server_s_fault(
    upstream: Upstream, client: HttpClient, no_free_handle: Callable[[], None]
) -> None:
    await client.reply(chat(upstream))  # loads what it needs
    another = "http://127.0.0.1:9/"
    no_free_handle()
    with serving(RequestContext()) as context:
        error = await failure(client.reply(json_request(another, {})))
    assert error.message == "`acme` cannot be called, since this server cannot open a connection: Too many open files"
    assert (error.status, error.code, COUNT in context.headers) == (503, "no_free_connection", False)
    assert error.hint is not None and "ulimit -n" in error.hint
    client.connections.retries = Retries(within_s=-1)
    assert not client.connections.is_down(another)


async def test_a_refused_key_says_nothing_of_the_server(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: refusal(401, "no such key"))
    await failure(client.reply(chat(upstream)))
    assert client.connections.failed_calls == 0
