"""An API over a real WebSocket: messages in, events out, both guards before it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from runtime.server.app import make_app
from tests.support.examples import parrot
from tests.support.mounting import mount
from tests.support.raw_http import Listening, listening
from tests.support.stacks import Served, adapter_of, run_config, serving


@pytest_asyncio.fixture
async def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Served]:
    mount(monkeypatch, parrot)
    providers = {"inference": [], "parrots": [{"provider_id": "p", "provider_type": "inline::parrot"}]}
    async with serving(run_config(providers=providers), tmp_path) as running:
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


async def test_a_post_of_the_same_path_is_a_post(served: Served) -> None:
    answer = await served.client.post("/v1/parrot", {"words": "hello"}, headers={"accept-language": "de"})
    assert answer.json() == {"type": "parrot.said", "words": "hello", "language": "de"}
