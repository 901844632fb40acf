"""HTTP/1.1 byte by byte over a real socket: what clients send that uvicorn alone does not take as it is meant."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from runtime.config.sections import ServerConfig
from runtime.server import http1, unread
from runtime.server.bad_requests import HEAD_BYTES
from tests.support.raw_http import LIMIT_S, Connection, Listening, listening

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOST = b"host: localhost\r\n"
OFFER = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAB\r\n"


class Echo:
    """Answers with what it was asked, when the whole body is there and `gate` is open. asked: released once for each
    request that began; left: for each whose client went away.
    """

    def __init__(self) -> None:
        self.anew()

    def anew(self) -> None:
        self.asked, self.left = asyncio.Semaphore(0), asyncio.Semaphore(0)
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        self.asked.release()
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": scope["path"] + (await receive())["text"]})
            await send({"type": "websocket.close", "code": 1000})
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.release()
                return
            body, more = body + message["body"], message["more_body"]
        await self.gate.wait()
        facts = {"method": scope["method"], "path": scope["path"], "body": body.decode("latin-1")}
        headers = [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]]
        said = json.dumps({**facts, "headers": headers}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
        await send({"type": "http.response.body", "body": said})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[tuple[Listening, Echo]]:
    echo = Echo()
    async with listening(echo) as running:
        yield running, echo


@pytest.fixture
def echo(shared: tuple[Listening, Echo]) -> Echo:
    shared[1].anew()
    return shared[1]


@pytest_asyncio.fixture(loop_scope="module")
async def connection(shared: tuple[Listening, Echo], echo: Echo) -> AsyncIterator[Connection]:
    async with shared[0].connection() as connected:
        yield connected


async def answered(connection: Connection, *, method: str = "POST", body: str = "") -> dict[str, Any]:
    answer = await connection.answer()
    assert answer.status == 200, answer.body
    said: dict[str, Any] = answer.json()
    assert (said["method"], said["body"]) == (method, body)
    return said


# Upgrades

BODIES = {
    "length": (b"content-length: 7\r\n\r\n", b'{"a":1}'),
    "chunked": (b"transfer-encoding: chunked\r\n\r\n", b'3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n'),
    "expect": (b"expect: 100-continue\r\ncontent-length: 7\r\n\r\n", b'{"a":1}'),
}


@pytest.mark.parametrize("rhythm", ["at once", "body later", "byte by byte"])
@pytest.mark.parametrize("kind", BODIES)
async def test_a_body_behind_an_offer_to_upgrade_is_the_request_s(
    connection: Connection, echo: Echo, kind: str, rhythm: str
) -> None:
    """RFC 9110, 7.8: a server may ignore the offer. Java's HttpClient makes it with its first request to a server."""
    fields, body = BODIES[kind]
    head = b"POST /offer HTTP/1.1\r\n" + HOST + OFFER + fields
    if rhythm == "at once":
        await connection.send(head + body)
    elif rhythm == "body later":
        await connection.send(head)
        await asyncio.wait_for(echo.asked.acquire(), LIMIT_S)
        await connection.send(body)
    else:
        for byte in head + body:
            await connection.send(bytes([byte]))
    said = await answered(connection, body='{"a":1}')
    assert said["path"] == "/offer" and ["host", "localhost"] in said["headers"]
    # and the connection goes on
    await connection.send(b"POST /next HTTP/1.1\r\n" + HOST + b"content-length: 2\r\n\r\n{}")
    assert (await answered(connection, body="{}"))["path"] == "/next"


async def test_offers_can_follow_each_other_at_once(connection: Connection) -> None:
    request = b"POST /a HTTP/1.1\r\n" + HOST + OFFER + b"content-length: 2\r\n\r\n{}"
    await connection.send(request * 5)
    for _ in range(5):
        await answered(connection, body="{}")


@pytest.mark.parametrize(
    "offer", [b"connection: upgrade, close\r\nupgrade: h2c\r\n", b"connection: close\r\nupgrade: x\r\n"]
)
async def test_an_offer_that_also_closes_is_answered_and_closed(connection: Connection, offer: bytes) -> None:
    await connection.send(b"POST /a HTTP/1.1\r\n" + HOST + offer + b"content-length: 2\r\n\r\n{}")
    await answered(connection, body="{}")
    assert await connection.ended() == b""


async def test_a_websocket_is_followed(shared: tuple[Listening, Echo], echo: Echo) -> None:
    async with connect(f"ws://127.0.0.1:{shared[0].port}/talk?a=b") as socket:
        await socket.send("!")
        assert await socket.recv() == "/talk!"


# Targets and framing


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (b"GET http://other.test/v1/models?a=b HTTP/1.1\r\n" + HOST + b"\r\n", "/v1/models"),
        (b"GET /a%2fb HTTP/1.0\r\n\r\n", "/a/b"),
        (b"GET //a HTTP/1.1\r\n" + HOST + b"\r\n", "//a"),
        (b"\r\nGET /after-a-line HTTP/1.1\r\n" + HOST + b"\r\n", "/after-a-line"),
    ],
)
async def test_what_may_look_odd_is_served(connection: Connection, request_: bytes, path: str) -> None:
    await connection.send(request_)
    assert (await answered(connection, method="GET"))["path"] == path


POST = b"POST /a HTTP/1.1\r\n" + HOST
NO_REQUESTS = {
    "nonsense": b"hello\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "unknown method": b"BREW /a HTTP/1.1\r\n" + HOST + b"\r\n",
    "no path": b"GET http://other.test HTTP/1.1\r\n" + HOST + b"\r\n",
    "no slash": b"GET v1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "bytes in the path": b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "space in a name": b"GET /a HTTP/1.1\r\nhost : x\r\n\r\n",
    "folded": b"GET /a HTTP/1.1\r\n" + HOST + b"x: a\r\n b\r\n\r\n",
    "nul": b"GET /a HTTP/1.1\r\nhost: a\0b\r\n\r\n",
    "both lengths": POST + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "signed length": POST + b"content-length: +2\r\n\r\n{}",
    "endless length": POST + b"content-length: " + b"9" * 30 + b"\r\n\r\n{}",
    "no encoding": POST + b"transfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "bad chunk": POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    "length too short": POST + b"content-length: 1\r\n\r\n{}",
}


@pytest.mark.parametrize("data", NO_REQUESTS.values(), ids=NO_REQUESTS)
async def test_what_is_no_request_is_a_400_in_our_shape_and_the_end(
    connection: Connection, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http1, "LINGER_S", LIMIT_S * 2)  # the server closes after what follows has come
    await connection.send(data)
    answer = await connection.answer()
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    said = answer.json()
    assert said["error"]["type"] == "invalid_request_error" and said["request_id"] == answer.headers["x-request-id"]
    await connection.send(b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n")
    connection.writer.write_eof()
    assert await connection.ended() == b""  # nothing that follows is taken for a request


async def test_after_what_is_no_request_the_server_ends_by_itself(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http1, "LINGER_S", 0.01)
    await connection.send(NO_REQUESTS["folded"])
    assert (await connection.answer()).status == 400
    assert await connection.ended() == b""


async def test_connect_is_refused(connection: Connection) -> None:
    await connection.send(b"CONNECT other.test:443 HTTP/1.1\r\nhost: other.test:443\r\n\r\n")
    answer = await connection.answer()
    assert (answer.status, answer.headers["x-should-retry"]) == (501, "false")


async def test_a_body_that_ends_before_its_length_is_a_client_that_left(connection: Connection, echo: Echo) -> None:
    await connection.send(POST + b"content-length: 10\r\n\r\n{}")
    await asyncio.wait_for(echo.asked.acquire(), LIMIT_S)
    connection.writer.close()
    await asyncio.wait_for(echo.left.acquire(), LIMIT_S)


async def test_trailers_change_nothing_that_was_checked(connection: Connection) -> None:
    body = b"2\r\n{}\r\n0\r\nhost: evil.test\r\nx-llamastack-provider-data: {}\r\n\r\n"
    await connection.send(POST + b"transfer-encoding: chunked\r\n\r\n" + body)
    said = await answered(connection, body="{}")
    assert said["headers"] == [["host", "localhost"], ["transfer-encoding", "chunked"]]


async def test_a_client_of_http_1_0_is_not_told_to_go_on(connection: Connection) -> None:
    await connection.send(b"POST /a HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n{}")
    assert (await connection.ended()).startswith(b"HTTP/1.1 200")


# Sizes

START = b"GET /a HTTP/1.1\r\n" + HOST
TOO_LARGE = {
    "one header": START + b"x: " + b"a" * HEAD_BYTES,
    "many headers": START + b"x: abcdefg\r\n" * (HEAD_BYTES // 8),
    "endless headers": START + b"x: abcdefg\r\n" * (HEAD_BYTES // 2),
    "path": b"GET /" + b"a" * HEAD_BYTES,
    "empty lines": b"\r\n" * HEAD_BYTES,
}


@pytest.mark.parametrize("is_complete", [True, False], ids=["complete", "going on"])
@pytest.mark.parametrize("head", TOO_LARGE.values(), ids=TOO_LARGE)
async def test_a_head_has_a_size(connection: Connection, head: bytes, is_complete: bool) -> None:
    end = b" HTTP/1.1\r\n" + HOST + b"\r\n" if head.startswith(b"GET /aaa") else b"\r\n\r\n"
    half = len(head) // 2
    await connection.send(head[:half])
    await connection.send(head[half:] + (end if is_complete else b""))
    answer = await connection.answer()
    assert (answer.status, answer.json()["error"]["code"]) == (431, "request_head_too_large")


async def test_bodies_and_what_came_before_do_not_count_as_head(connection: Connection) -> None:
    size = 3 * HEAD_BYTES
    large = POST + b"x: " + b"a" * (HEAD_BYTES // 2) + b"\r\ncontent-length: %d\r\n\r\n" % size + b"b" * size
    for _ in range(3):
        await connection.send(large)
        await answered(connection, body="b" * size)
    await connection.send(large * 2)
    for _ in range(2):
        await answered(connection, body="b" * size)


async def test_requests_may_wait_for_their_turn(connection: Connection, echo: Echo) -> None:
    echo.gate.clear()
    request = b"GET /%d HTTP/1.1\r\nx: " + b"a" * 10_000 + b"\r\n" + HOST + b"\r\n"
    sending = asyncio.create_task(connection.send(b"".join(request % number for number in range(500))))
    await asyncio.wait_for(echo.asked.acquire(), LIMIT_S)
    echo.gate.set()
    for number in range(500):
        assert (await answered(connection, method="GET"))["path"] == f"/{number}"
    await sending


async def test_only_so_many_wait_for_their_turn(shared: tuple[Listening, Echo], echo: Echo) -> None:
    server = shared[0].server.server_state
    echo.gate.clear()
    async with shared[0].connection() as connection:
        request = b"GET /a HTTP/1.1\r\nx: " + b"a" * 10_000 + b"\r\n" + HOST + b"\r\n"
        sending = asyncio.create_task(connection.send(request * 5000))
        async with asyncio.timeout(LIMIT_S):
            while not any(one.flow and one.flow.read_paused for one in server.connections):  # type: ignore[union-attr]  # none is a WebSocket
                await asyncio.sleep(0)
        assert max(len(one.pipeline) for one in server.connections) < 100  # type: ignore[union-attr]
        sending.cancel()
    async with shared[0].connection() as connection:
        with contextlib.suppress(ConnectionError):
            await connection.send((b"GET / HTTP/1.1\r\n" + HOST + b"\r\n") * 5000)  # short ones, in one read
            assert await connection.ended() == b""
    echo.gate.set()


CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n2"
FRAMING = {
    "extension": (CHUNKED + b";a=", b"a" * 4096),
    "trailer": (CHUNKED + b"\r\n{}\r\n0\r\nx: ", b"a" * 4096),
    "trailers": (CHUNKED + b"\r\n{}\r\n0\r\n", b"x: yyyyyyyyyyy\r\n" * 256),
}


@pytest.mark.parametrize(("begun", "more"), FRAMING.values(), ids=FRAMING)
async def test_what_frames_a_body_has_a_size(shared: tuple[Listening, Echo], begun: bytes, more: bytes) -> None:
    """A trailer that never ends would else be kept in memory."""
    async with shared[0].connection() as connection:
        await connection.send(begun)
        for _ in range(2 * HEAD_BYTES // len(more)):
            connection.writer.write(more)
            await asyncio.sleep(0)
        answer = await connection.answer()
        assert (answer.status, answer.json()["error"]["code"]) == (431, "request_head_too_large")


async def test_many_small_chunks_are_no_large_framing(connection: Connection) -> None:
    body = b"1;a=b\r\nx\r\n" * HEAD_BYTES
    await connection.send(POST + b"transfer-encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n")
    await answered(connection, body="x" * HEAD_BYTES)


# Silence


@pytest.mark.parametrize("begun", [b"", b"GET /a HT", START, START + b"x: "], ids=repr)
async def test_a_client_that_says_no_more_is_left(echo: Echo, begun: bytes) -> None:
    async with listening(echo, timeout_s=0.05) as server, server.connection() as connection:
        await connection.send(begun)
        with contextlib.suppress(ConnectionResetError):  # where the time was over before a busy machine read it
            assert await connection.ended() == b""


PART_OF = {
    "length": POST + b"content-length: 60000\r\n\r\n{}",
    "chunks": POST + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "long": POST + b"content-length: 10000000\r\n\r\n{}",
}


@pytest.mark.parametrize("begun", PART_OF.values(), ids=PART_OF)
async def test_a_body_that_does_not_go_on_is_a_408(echo: Echo, begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "LINGER_S", 0.01)
    async with listening(echo, timeout_s=0.05) as server, server.connection() as connection:
        await connection.send(begun)
        answer = await connection.answer()
        assert (answer.status, answer.json()["error"]["code"]) == (408, "request_timeout")
        assert await connection.ended() == b""
        await asyncio.wait_for(echo.left.acquire(), LIMIT_S)


@pytest.mark.parametrize("begun", PART_OF.values(), ids=PART_OF)
async def test_a_body_must_come_at_some_pace(echo: Echo, begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then would else hold a connection for ever."""
    monkeypatch.setattr(http1, "LINGER_S", LIMIT_S * 2)  # a reset in the middle of what is sent could lose the answer
    config = ServerConfig(client_timeout_seconds=0.05, client_min_bytes_per_second=10**9)
    async with listening(echo, config) as server, server.connection() as connection:
        await connection.send(begun)
        answering = asyncio.create_task(connection.answer())
        while not answering.done():
            connection.writer.write(b"1\r\n \r\n" if b"chunked" in begun else b" ")
            await asyncio.sleep(0)
        answer = await answering
        assert (answer.status, answer.json()["error"]["code"]) == (408, "request_timeout")
        await asyncio.wait_for(echo.left.acquire(), LIMIT_S)


# Many


async def test_one_connection_too_many_is_a_503(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "LINGER_S", 5.0)
    async with listening(echo, ServerConfig(max_connections=2)) as server:
        async with server.connection() as first, server.connection() as second:
            for connection in (first, second):
                await connection.send(START + b"\r\n")
                await answered(connection, method="GET")
            async with server.connection() as third:
                await third.send(START + b"\r\n")
                answer = await third.answer()
                assert (answer.status, answer.json()["error"]["code"]) == (503, "too_many_connections")
                assert answer.headers["retry-after"] == "1"
            await first.send(START + b"\r\n")
            await answered(first, method="GET")
        while server.server.server_state.connections:
            await asyncio.sleep(0)
        async with server.connection() as later:
            await later.send(START + b"\r\n")
            await answered(later, method="GET")


async def test_far_too_many_connections_end_without_a_word(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "REFUSED_AT_ONCE", 0)
    async with listening(echo, ServerConfig(max_connections=1)) as server, server.connection() as first:
        await first.send(START + b"\r\n")
        await answered(first, method="GET")
        async with server.connection() as second:
            with contextlib.suppress(ConnectionResetError):
                assert await second.ended() == b""


async def test_a_head_that_only_dribbles_is_left_too(echo: Echo) -> None:
    async with listening(echo, timeout_s=0.05) as server, server.connection() as connection:
        ended = asyncio.create_task(connection.ended())
        while not ended.done():
            connection.writer.write(b"\r\n")
            await asyncio.sleep(0)
        result = (await asyncio.gather(ended, return_exceptions=True))[0]
        assert result == b"" or isinstance(result, ConnectionError)


async def test_an_answer_that_nobody_reads_keeps_no_connection_open(
    echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less waits than where a server is told to write no more: the end of the connection would wait for it."""
    monkeypatch.setattr(unread, "UNREAD_LIMIT_S", 0.05)
    request = POST + b"content-length: 20000\r\n\r\n" + b"x" * 20_000
    async with asyncio.timeout(LIMIT_S), listening(echo, timeout_s=0.2) as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, ("127.0.0.1", server.port))
            for number in itertools.count(1):
                await loop.sock_sendall(client, request)
                while server.server.server_state.total_requests < number:
                    await asyncio.sleep(0)
                [one] = server.server.server_state.connections
                if one.transport.get_write_buffer_size():
                    break
            assert not one.flow.write_paused  # type: ignore[union-attr]  # it is no WebSocket
            while server.server.server_state.connections:
                await asyncio.sleep(0.005)


async def test_an_answer_may_take_longer_than_a_client_may_be_silent(echo: Echo) -> None:
    echo.gate.clear()
    async with listening(echo, timeout_s=0.05) as server, server.connection() as connection:
        for begun in (POST + b"content-length: 2\r\n\r\n{", b"}"):
            await connection.send(begun)
            await asyncio.sleep(0)
        await asyncio.wait_for(echo.asked.acquire(), LIMIT_S)
        async with server.connection() as silent:
            assert await silent.ended() == b""  # so the time is over
        echo.gate.set()
        await answered(connection, body="{}")
