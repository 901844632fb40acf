"""When a request is sent again, how often, and who sees it."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.stacks import run_config
from runtime.conformance.stacks import serving as serving_stack
from runtime.conformance.upstream import Upstream, refusal
from runtime.context import RequestContext, serving
from runtime.http import retries
from runtime.http.client import HttpClient
from runtime.http.network import Network
from runtime.http.transport import Outgoing
from runtime.providers.inference._openai_compatible.streams import FinishReasons
from runtime.server.access import AccessLine
from tests.support.calls import chat, failure
from tests.support.stacks import openai_at

Answer = Callable[[], web.Response]
OK = b'{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}'


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_BASE_S", 0.002)


@pytest.fixture
def context() -> Iterator[RequestContext]:
    with serving(RequestContext()) as made:
        yield made


def in_turn(*answers: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """These answers, one for each request; the last one for all that follow."""
    left = list(answers)

    async def answer(_: web.Request) -> web.StreamResponse:
        return (left.pop(0) if len(left) > 1 else left[0])()

    return answer


def refusing(status: int, *, code: str | None = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: refusal(status, "not now", code=code, headers=named)


def fine() -> web.Response:
    return web.Response(body=OK)


AGAIN = [
    refusing(429),
    refusing(429, retry_after="0.01"),
    refusing(429, retry_after_ms="1"),
    refusing(503, retry_after="0"),
    refusing(529, retry_after="0.01"),
    refusing(498, x_should_retry="true"),
    refusing(409, x_should_retry="true"),
]
ONCE = [
    refusing(429, retry_after="60"),
    refusing(429, x_should_retry="false"),
    refusing(429, code="insufficient_quota"),
    refusing(429, x_ratelimit_limit_req_minute="0"),
    refusing(503),
    refusing(503, retry_after="0", x_should_retry="false"),
    refusing(409),
    refusing(408),
    refusing(400, x_should_retry="true"),
    refusing(401),
    refusing(500, retry_after="0", x_should_retry="true"),  # it may have worked on it
    refusing(502, retry_after="0"),
    refusing(504, retry_after="0"),
]


@pytest.mark.parametrize("refuse", AGAIN)
async def test_a_refusal_that_may_pass_is_tried_again(
    upstream: Upstream, client: HttpClient, context: RequestContext, refuse: Answer
) -> None:
    upstream.misbehaves = in_turn(refuse, fine)
    assert (await client.reply(chat(upstream))).data == OK
    assert upstream.seen[0].raw == upstream.seen[1].raw
    assert (len(upstream.seen), context.headers[retries.COUNT]) == (2, "1")
    assert "retry-after" not in context.headers


@pytest.mark.parametrize("refuse", ONCE)
async def test_any_other_failure_is_the_caller_s(
    upstream: Upstream, client: HttpClient, context: RequestContext, refuse: Answer
) -> None:
    upstream.misbehaves = in_turn(refuse, fine)
    await failure(client.reply(chat(upstream)))
    assert (len(upstream.seen), retries.COUNT in context.headers) == (1, False)


async def test_the_last_refusal_tells_the_client_not_to_go_on(
    upstream: Upstream, client: HttpClient, context: RequestContext
) -> None:
    upstream.misbehaves = in_turn(refusing(429, retry_after="0"))
    error = await failure(client.reply(chat(upstream)))
    assert (error.status, len(upstream.seen), context.headers[retries.COUNT]) == (429, 3, "2")
    assert (error.headers["x-should-retry"], error.headers["retry-after"]) == ("false", "0")


async def test_another_failure_after_it_is_passed_on_as_it_is(
    upstream: Upstream, client: HttpClient, context: RequestContext
) -> None:
    upstream.misbehaves = in_turn(refusing(429), refusing(400))
    error = await failure(client.reply(chat(upstream)))
    assert (error.status, len(upstream.seen), "x-should-retry" in error.headers) == (400, 2, False)


async def test_a_wait_is_as_long_as_the_vendor_says(
    upstream: Upstream, client: HttpClient, context: RequestContext
) -> None:
    upstream.misbehaves = in_turn(refusing(429, retry_after="0.2"), fine)
    began = time.monotonic()
    await client.reply(chat(upstream))
    assert time.monotonic() - began >= 0.2


async def test_a_stream_is_tried_again_before_its_first_event(
    upstream: Upstream, client: HttpClient, context: RequestContext
) -> None:
    events = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    upstream.misbehaves = in_turn(refusing(429), lambda: web.Response(body=events))
    stream = await client.stream(chat(upstream, stream=True), ending=FinishReasons(1))
    assert [len(frames.events()) async for frames in stream] == [1]
    assert len(upstream.seen) == 2


@pytest.mark.parametrize(
    ("network", "requests"),
    [
        ({"retries": 0}, 1),
        ({"retries": "0"}, 1),
        ({"max_retries": 1}, 2),
        ({"retries": {"times": 4}}, 5),
        ({"retries": {"within": 0}}, 1),
        ({"retries": None}, 3),
        ({"retries": ""}, 3),
    ],
    ids=str,
)
async def test_the_config_says_how_often(
    upstream: Upstream, context: RequestContext, network: dict[str, Any], requests: int
) -> None:
    upstream.misbehaves = in_turn(refusing(429))
    limited = HttpClient("acme", network=Network.model_validate(network))
    try:
        await failure(limited.reply(chat(upstream)))
    finally:
        await limited.close()
    assert len(upstream.seen) == requests


async def test_what_no_client_waits_for_is_asked_once(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = in_turn(refusing(429))
    await failure(client.reply(chat(upstream)))
    assert len(upstream.seen) == 1


async def test_a_body_in_parts_is_sent_once(upstream: Upstream, client: HttpClient, context: RequestContext) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"{}"

    upstream.misbehaves = in_turn(refusing(429))
    await failure(client.reply(Outgoing(method="POST", url=f"{upstream.url}/x", body=parts())))
    assert len(upstream.seen) == 1


async def test_all_calls_for_a_request_are_counted_together(
    upstream: Upstream, client: HttpClient, context: RequestContext
) -> None:
    upstream.misbehaves = in_turn(refusing(429), fine, refusing(429), fine, refusing(429, retry_after="60"))
    await client.reply(chat(upstream))
    await client.reply(chat(upstream))
    error = await failure(client.reply(chat(upstream)))
    assert context.headers[retries.COUNT] == "2"
    assert "x-should-retry" not in error.headers  # this call was sent once


async def test_many_that_are_refused_at_once_do_not_all_come_back(
    upstream: Upstream,
    client: HttpClient,
    monkeypatch: pytest.MonkeyPatch,
    on_wait: Callable[[Callable[[], object]], None],
) -> None:
    monkeypatch.setattr(retries, "_MAX_WAITING", 3)
    waiting: list[int] = []
    on_wait(lambda: waiting.append(client.connections.retries.waiting + 1))
    upstream.misbehaves = in_turn(refusing(429, retry_after="0.1"))

    async def ask() -> str | None:
        with serving(RequestContext()) as context:
            assert (await failure(client.reply(chat(upstream)))).status == 429
        return context.headers.get(retries.COUNT)

    assert None in await asyncio.gather(*(ask() for _ in range(20)))
    assert max(waiting) == 3
    assert await ask() == "2"  # nobody waits any more


async def test_a_client_that_leaves_ends_the_wait(
    upstream: Upstream,
    client: HttpClient,
    context: RequestContext,
    on_wait: Callable[[Callable[[], object]], None],
) -> None:
    upstream.misbehaves = in_turn(refusing(429, retry_after="4"))
    waiting = asyncio.Event()
    on_wait(waiting.set)
    call = asyncio.create_task(client.reply(chat(upstream)))
    async with asyncio.timeout(3):  # less than the wait
        await waiting.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert len(upstream.seen) == 1


async def test_a_server_that_comes_back_is_reached(
    client: HttpClient, context: RequestContext, on_wait: Callable[[Callable[[], object]], None]
) -> None:
    with socket.socket() as bound:  # refuses until it listens
        bound.bind(("127.0.0.1", 0))
        on_wait(lambda: bound.listen())
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        call = asyncio.create_task(client.reply(Outgoing(method="POST", url=url, body=b"{}")))
        bound.setblocking(False)
        async with asyncio.timeout(5):
            connection = await _accepted(bound)
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_recv(connection, 65536)
            await asyncio.get_running_loop().sock_sendall(connection, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            assert (await call).data == b"{}"
        connection.close()
    assert context.headers[retries.COUNT] in ("1", "2")


async def _accepted(bound: socket.socket) -> socket.socket:
    while True:
        try:
            return bound.accept()[0]
        except OSError:  # it does not listen yet, or nobody has come
            await asyncio.sleep(0)


async def test_a_server_that_stays_away_is_a_503(client: HttpClient, context: RequestContext) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        error = await failure(
            client.reply(Outgoing(method="POST", url=f"http://127.0.0.1:{bound.getsockname()[1]}/", body=b"{}"))
        )
    assert (error.status, error.code, error.headers["x-should-retry"]) == (503, "upstream_unreachable", "false")
    assert context.headers[retries.COUNT] == "2"


async def test_a_server_that_is_known_to_be_down_is_not_tried_again(
    client: HttpClient, context: RequestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        asking = Outgoing(method="GET", url=f"http://127.0.0.1:{bound.getsockname()[1]}/")
        await failure(client.reply(asking))
        del context.headers[retries.COUNT]
        monkeypatch.setattr(time, "time", lambda: now + 60)
        error = await failure(client.reply(asking))
    assert (error.status, retries.COUNT in context.headers) == (503, False)


async def test_our_client_and_the_log_see_it(
    upstream: Upstream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = {"model": "vendor/small-chat", "messages": [{"role": "user", "content": "hi"}]}
    run = run_config(openai_at(upstream.url))
    with caplog.at_level(logging.INFO):
        async with serving_stack(run, tmp_path) as served:
            upstream.misbehaves = in_turn(refusing(429, retry_after="0.1"), fine)
            answer = await served.client.post("/v1/chat/completions", asked)
    assert (answer.status, answer.headers["x-llama-retries"]) == (200, "1")
    assert float(answer.headers["x-llama-overhead-ms"]) < 200  # the wait is not ours
    (line,) = (record for record in caplog.records if isinstance(record, AccessLine) and "chat" in record.getMessage())
    assert vars(line)["retries"] == 1
    (again,) = (record for record in caplog.records if record.name == retries.log.name)
    assert vars(again).items() >= {"provider_id": "vendor", "status": 429}.items()
    assert vars(again)["request_id"] == answer.headers["x-request-id"]
