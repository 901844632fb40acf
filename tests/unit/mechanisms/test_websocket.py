"""An API over a real WebSocket: messages in, events out, both guards before it."""

from __future__ import annotations

import asyncio
import json
import logging
import socket as socket_module
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from runtime.apis._api import Api, route
from runtime.conformance.stacks import Served, adapter_of
from runtime.server import http1
from runtime.server.app import make_app
from tests.support.examples import parrot
from tests.support.examples.parrot import Parrot, Said, SayRequest
from tests.support.raw_http import Connection, Listening, listening
from tests.support.stacks import serving_example


@pytest_asyncio.fixture
async def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Served]:
    async with serving_example(monkeypatch, parrot, tmp_path) as running:
        yield running


@pytest_asyncio.fixture
async def door(served: Served) -> AsyncIterator[Listening]:
    async with listening(make_app(served.stack, hosts=[], starts_stack=False)) as running:
        yield running


def address(door: Listening, path: str = "/v1/parrot") -> str:
    return f"ws://127.0.0.1:{door.port}{path}"


async def test_messages_are_requests_and_events_are_messages(door: Listening, served: Served) -> None:
    async with connect(address(door), additional_headers={"Accept-Language": "nl"}) as socket:
        await socket.send(json.dumps({"words": "hallo", "times": 2}))
        said = [json.loads(await socket.recv()) for _ in range(2)]
        assert said == [{"type": "parrot.said", "words": "hallo", "language": "nl"}] * 2
        await socket.send(json.dumps({"words": "bye"}))
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000


@pytest.mark.parametrize("message", ["nonsense", "[]", '{"words": 5}', '{"words": "a", "loud": true}', b"\xff"])
async def test_a_message_that_does_not_fit_is_answered_and_the_talk_goes_on(
    door: Listening, message: str | bytes
) -> None:
    async with connect(address(door)) as socket:
        await socket.send(message)
        answer = json.loads(await socket.recv())
        assert answer["error"]["type"] == "invalid_request_error"
        await socket.send(json.dumps({"words": "hello"}))
        assert json.loads(await socket.recv())["words"] == "hello"


async def test_a_failure_is_told_and_ends_the_connection(door: Listening, served: Served) -> None:
    async with connect(address(door)) as socket:
        await socket.send(json.dumps({"words": "die"}))
        assert json.loads(await socket.recv())["error"]["message"] == "the parrot is no more"
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1011
    assert adapter_of(served.stack, "parrots").left.is_set()


async def test_leaving_ends_the_call_to_its_last_finally(door: Listening, served: Served) -> None:
    async with connect(address(door)) as socket:
        await socket.send(json.dumps({"words": "hello"}))
        await socket.recv()
        socket.transport.abort()
        async with asyncio.timeout(10):
            await adapter_of(served.stack, "parrots").left.wait()


async def waiting(socket: ClientConnection, served: Served) -> Parrot:
    """The parrot, once it waits."""
    found: Parrot = adapter_of(served.stack, "parrots")
    await socket.send(json.dumps({"words": "wait"}))
    async with asyncio.timeout(10):
        await found.waits.wait()
    return found


async def test_leaving_is_noticed_although_messages_wait(door: Listening, served: Served) -> None:
    async with connect(address(door)) as socket:
        bird = await waiting(socket, served)
        for _ in range(200):
            await socket.send(json.dumps({"words": "x" * 1000}))
        socket.transport.abort()
        async with asyncio.timeout(10):
            await bird.left.wait()


async def test_leaving_in_the_middle_of_an_answer_is_no_failure_of_ours(
    door: Listening, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(address(door)) as socket:
        bird = await waiting(socket, served)
        socket.transport.abort()
        bird.may_go_on.set()
        async with asyncio.timeout(10):
            await bird.left.wait()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(("message", "count"), [("{}", 1001), ("x" * 3_000_000, 6)], ids=["many", "large"])
async def test_what_may_wait_has_a_bound(door: Listening, served: Served, message: str, count: int) -> None:
    async with connect(address(door), compression=None) as socket:
        bird = await waiting(socket, served)
        for _ in range(count):
            await socket.send(message)
        assert json.loads(await socket.recv())["error"]["code"] == "rate_limit_exceeded"
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008
    assert bird.left.is_set()


async def test_pings_of_a_client_that_reads_nothing_are_not_piled_up(door: Listening) -> None:
    async with door.connection() as connection:
        await connection.send(UPGRADE % b"/v1/parrot" + KEY + b"\r\n")
        await connection.reader.readuntil(b"\r\n\r\n")
        transport = connection.writer.transport
        transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's transports of sockets have it
        transport.get_extra_info("socket").setsockopt(socket_module.SOL_SOCKET, socket_module.SO_RCVBUF, 4096)
        stuck = asyncio.create_task(send_pings(connection, 100_000_000))
        [served_by] = door.server.server_state.connections
        async with asyncio.timeout(20):
            while served_by.transport.is_reading():
                await asyncio.sleep(0)
        assert not stuck.done() and served_by.transport.get_write_buffer_size() < 2_000_000
        stuck.cancel()


async def send_pings(connection: Connection, size: int) -> None:
    for _ in range(size // 131_000):
        await connection.send((b"\x89\xfd" + bytes(4 + 125)) * 1000)


@pytest.mark.parametrize("words", ["exit", "cancelled"])
async def test_a_library_that_wants_to_end_more_ends_a_conversation(door: Listening, words: str) -> None:
    async with connect(address(door)) as socket:
        await socket.send(json.dumps({"words": words}))
        assert json.loads(await socket.recv())["error"]["code"] == "internal_error"
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1011


async def test_a_server_that_stops_ends_what_is_idle_and_lets_the_rest_be_answered(
    door: Listening, served: Served
) -> None:
    async with connect(address(door)) as idle, connect(address(door)) as busy:
        bird = await waiting(busy, served)
        await busy.send(json.dumps({"words": "more"}))
        await (await busy.ping())  # so that it has come
        door.server.should_exit = True
        with pytest.raises(ConnectionClosed) as closed:
            await idle.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
        bird.may_go_on.set()
        assert [json.loads(await busy.recv())["words"] for _ in range(2)] == ["wait", "more"]
        with pytest.raises(ConnectionClosed) as closed:
            await busy.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012


async def test_a_conversation_that_outlasts_the_drain_is_told_why_it_ends(door: Listening, served: Served) -> None:
    async with connect(address(door)) as socket:
        bird = await waiting(socket, served)
        door.server.should_exit = True
        assert json.loads(await socket.recv())["error"]["code"] == "server_stopping"
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
    assert bird.left.is_set()


async def test_leaving_while_a_conversation_is_ended_does_not_interrupt_its_finally(
    door: Listening, served: Served
) -> None:
    releasing, may_release = asyncio.Event(), asyncio.Event()

    async def release() -> None:
        releasing.set()
        await may_release.wait()

    async with connect(address(door)) as socket:
        bird = await waiting(socket, served)
        bird.release = release
        assert door.ongoing.end("the server is stopping") == 1
        async with asyncio.timeout(10):
            await releasing.wait()
            socket.transport.abort()
            while door.server.server_state.connections:
                await asyncio.sleep(0)
            may_release.set()
            await bird.left.wait()


UPGRADE = b"GET %b HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
VERSION = b"sec-websocket-version: 13\r\n"
KEY = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + VERSION
NO_HANDSHAKES = {
    "no key": (VERSION, 400, b""),
    "older": (KEY.replace(b"13", b"8"), 400, b""),
    "length": (KEY + b"content-length: 2\r\n", 400, b"{}"),
    "chunked": (KEY + b"transfer-encoding: chunked\r\n", 400, b"0\r\n\r\n"),
    "early": (KEY, 400, b"\x89\x80\0\0\0\0"),
    "long header": (KEY + b"x: " + b"a" * 9000 + b"\r\n", 431, b""),
    "large head": (KEY + b"x: " + b"a" * 70_000 + b"\r\n", 431, b""),
    "many headers": (KEY + b"x: a\r\n" * 200, 431, b""),
}


@pytest.mark.parametrize(("headers", "status", "rest"), NO_HANDSHAKES.values(), ids=NO_HANDSHAKES)
async def test_what_opens_no_websocket_is_answered_in_our_shape(
    door: Listening, headers: bytes, status: int, rest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http1, "LINGER_S", 0.01)
    async with door.connection() as connection:
        await connection.send(UPGRADE % b"/v1/parrot" + headers + b"\r\n" + rest)
        answer = await connection.answer()
        assert answer.status == status and answer.json()["error"]["type"] == "invalid_request_error"
        assert await connection.ended() == b""


async def test_an_upgrade_behind_a_request_under_way_is_passed_over(door: Listening) -> None:
    body = b'{"words": "a"}'
    post = b"POST /v1/parrot HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    async with door.connection() as connection:
        await connection.send(post + UPGRADE % b"/v1/parrot" + KEY + b"\r\n")
        assert (await connection.answer()).json()["words"] == "a"
        assert (await connection.answer()).status == 405


async def test_a_target_with_its_scheme_is_the_same_path(door: Listening) -> None:
    async with door.connection() as connection:
        await connection.send(UPGRADE % b"http://localhost/v1/parrot?a=b" + KEY + b"\r\n")
        assert (await connection.reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(("path", "facts"), [("/v1/{words}/talk", {}), ("/v1/talk", {"key": "words"})])
def test_a_route_that_says_what_only_a_request_can_is_refused(path: str, facts: dict[str, Any]) -> None:
    class Talks(Protocol):
        @route("WS", path, **facts)
        def talk(self, requests: AsyncIterator[SayRequest]) -> AsyncIterator[Said]: ...

    with pytest.raises(TypeError, match="words"):
        Api("talks", Talks).operations()


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({"Origin": "https://evil.example"}, "/v1/parrot", 403),
        ({"X-LlamaStack-Provider-Data": "nonsense"}, "/v1/parrot", 400),
        ({}, "/v1/nothing", 404),
        ({}, "/v1/health", 404),
    ],
)
async def test_both_guards_stand_before_it(
    door: Listening, headers: dict[str, str], path: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "runtime.server.access")
    with pytest.raises(InvalidStatus) as refused:
        await connect(address(door, path), additional_headers=headers, origin=None).__aenter__()
    assert refused.value.response.status_code == status
    assert "message" in json.loads(refused.value.response.body)["error"]
    assert refused.value.response.headers["x-request-id"]
    [line] = [record for record in caplog.records if record.name == "runtime.server.access"]
    assert (line.getMessage(), line.__dict__["status"]) == (f"WS {path}", status)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_another_method_is_told_that_this_is_a_websocket(served: Served) -> None:
    answer = await served.client.get("/v1/parrot")
    assert (answer.status, answer.headers["allow"]) == (405, "OPTIONS, POST")
    assert "hint: open it as a WebSocket" in answer.error["message"]


async def test_a_post_of_the_same_path_is_a_post(served: Served) -> None:
    answer = await served.client.post("/v1/parrot", {"words": "hello"}, headers={"accept-language": "de"})
    assert answer.json() == {"type": "parrot.said", "words": "hello", "language": "de"}
