"""SDKs over our connections: the real openai SDK (httpx2) and plain httpx, to the local vendor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import Any

import httpx
import httpx2
import openai
import pytest
import pytest_asyncio
from aiohttp import web

from runtime.conformance.contexts import provider_context
from runtime.conformance.upstream import CHAT_MODEL, Upstream, refusal, started_stream
from runtime.context import RequestContext, serving
from runtime.errors import AuthenticationError, UpstreamError, UpstreamTimeout
from runtime.http.auth import Bearer
from runtime.http.bridge import cause_of, httpx2_transport, httpx_transport
from runtime.http.client import HttpClient
from tests.support.calls import answering
from tests.unit.http.test_auth import OPENAI

MESSAGES: Any = [{"role": "user", "content": "hi"}]


@pytest_asyncio.fixture
async def sdk(upstream: Upstream, client: HttpClient) -> AsyncIterator[openai.AsyncOpenAI]:
    over_ours = httpx2.AsyncClient(transport=httpx2_transport(client))
    async with openai.AsyncOpenAI(
        base_url=upstream.url, api_key="sk-of-the-sdk", http_client=over_ours, max_retries=0
    ) as made:
        yield made


@pytest_asyncio.fixture(params=[(httpx, httpx_transport), (httpx2, httpx2_transport)], ids=["httpx", "httpx2"])
async def library(request: pytest.FixtureRequest, client: HttpClient) -> AsyncIterator[tuple[ModuleType, Any]]:
    """The module and a client of it over our connections."""
    module, transport = request.param
    async with module.AsyncClient(transport=transport(client)) as made:
        yield module, made


async def test_an_sdk_s_chat_goes_over_our_connections(upstream: Upstream, sdk: openai.AsyncOpenAI) -> None:
    upstream.key = "sk-of-the-sdk"
    with serving(RequestContext(request_id="req_7")):
        answer = await sdk.chat.completions.create(model=CHAT_MODEL, messages=MESSAGES)
    assert answer.choices[0].message.content
    seen = upstream.seen[-1]
    assert (seen.headers["x-request-id"], seen.headers["accept-encoding"]) == ("req_7", "identity")
    assert seen.headers["user-agent"].startswith("AsyncOpenAI/")
    assert seen.headers["content-length"] == str(len(seen.raw))


async def test_an_sdk_s_stream_ends_upstream_when_it_is_left(upstream: Upstream, sdk: openai.AsyncOpenAI) -> None:
    upstream.gate.clear()
    stream = await sdk.chat.completions.create(model=CHAT_MODEL, messages=MESSAGES, stream=True)
    first = await anext(aiter(stream))
    assert first.choices[0].delta.role == "assistant"  # while the rest waits at the gate
    await stream.close()
    async with asyncio.timeout(5):
        await upstream.ended_early.wait()


async def test_an_sdk_s_stream_that_is_cancelled_or_dropped_leaves_no_connection(
    upstream: Upstream, client: HttpClient, sdk: openai.AsyncOpenAI
) -> None:
    async def read_all() -> None:
        async for _ in await sdk.chat.completions.create(model=CHAT_MODEL, messages=MESSAGES, stream=True):
            pass

    for _ in range(3):
        upstream.gate.clear()
        upstream.waiting_at_gate.clear()
        upstream.ended_early.clear()
        reading = asyncio.create_task(read_all())
        await upstream.waiting_at_gate.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        async with asyncio.timeout(5):
            await upstream.ended_early.wait()


async def test_an_sdk_sees_a_refusal_and_its_words_itself(upstream: Upstream, sdk: openai.AsyncOpenAI) -> None:
    upstream.misbehaves = answering(lambda: refusal(429, "slow down", headers={"retry-after": "3"}))
    with pytest.raises(openai.RateLimitError) as caught:
        await sdk.chat.completions.create(model=CHAT_MODEL, messages=MESSAGES)
    assert "slow down" in str(caught.value)
    assert caught.value.response.headers["retry-after"] == "3"
    assert len(upstream.seen) == 1


async def test_a_file_is_sent_as_the_sdk_reads_it(upstream: Upstream, sdk: openai.AsyncOpenAI) -> None:
    upstream.misbehaves = answering(
        lambda: web.json_response(
            {"id": "file-1", "object": "file", "bytes": 3, "created_at": 1, "filename": "a", "purpose": "assistants",
             "status": "processed"}
        )
    )  # fmt: skip
    assert (await sdk.files.create(file=("a.txt", b"content"), purpose="assistants")).id == "file-1"
    assert b"content" in upstream.seen[-1].raw


async def test_our_error_is_found_behind_the_sdk_s(sdk: openai.AsyncOpenAI, unused_tcp_port: int) -> None:
    away = sdk.with_options(base_url=f"http://127.0.0.1:{unused_tcp_port}/v1")
    with pytest.raises(openai.APIConnectionError) as caught:
        await away.chat.completions.create(model=CHAT_MODEL, messages=MESSAGES)
    ours = cause_of(caught.value)
    assert isinstance(ours, UpstreamError) and ours.code == "upstream_unreachable"
    assert cause_of(ValueError()) is None


async def test_a_failure_that_was_being_handled_is_no_cause(upstream: Upstream, sdk: openai.AsyncOpenAI) -> None:
    """Such as the one of the provider that was asked before."""
    upstream.misbehaves = answering(lambda: refusal(429, "slow down"))
    try:
        raise UpstreamError("another's", provider_id="another")
    except UpstreamError:
        with pytest.raises(openai.RateLimitError) as caught:
            await sdk.models.list()
    assert cause_of(caught.value) is None


async def test_a_key_that_is_missing_is_our_error_as_well(upstream: Upstream, client: HttpClient) -> None:
    asking = client.with_auth(Bearer(provider_context(OPENAI).keys, required=True))
    async with httpx2.AsyncClient(transport=httpx2_transport(asking)) as made:
        with pytest.raises(AuthenticationError, match="has no key"):
            await made.get(upstream.url)


async def test_the_provider_s_key_comes_before_the_sdk_s(upstream: Upstream, client: HttpClient) -> None:
    asking = client.with_auth(Bearer(provider_context(OPENAI, key="sk-configured").keys))
    async with httpx2.AsyncClient(transport=httpx2_transport(asking)) as made:
        await made.get(f"{upstream.url}/models", headers={"authorization": "Bearer of-the-sdk"})
    assert upstream.seen[-1].headers.getall("authorization") == ["Bearer sk-configured"]  # type: ignore[attr-defined]


async def test_bodies_stream_both_ways(upstream: Upstream, library: tuple[ModuleType, Any]) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number

    async def answers_in_parts(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        await answer.write(b"first")
        await upstream.gate.wait()
        await answer.write(b"last")
        return answer

    upstream.misbehaves = answers_in_parts
    upstream.gate.clear()
    _, client = library
    async with client.stream("POST", f"{upstream.url}/x", content=parts()) as response:
        assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream")
        reads = response.aiter_bytes()
        assert await anext(reads) == b"first"
        upstream.gate.set()
        assert await anext(reads) == b"last"
    assert (upstream.seen[-1].raw, upstream.seen[-1].headers["transfer-encoding"]) == (b"012", "chunked")


async def test_cookies_are_not_kept_for_the_next_caller(upstream: Upstream, library: tuple[ModuleType, Any]) -> None:
    upstream.misbehaves = answering(lambda: web.Response(headers={"set-cookie": "session=of-a-caller"}))
    _, client = library
    for _ in range(2):
        await client.get(upstream.url)
    assert "cookie" not in upstream.seen[-1].headers


async def test_every_status_is_an_answer(upstream: Upstream, library: tuple[ModuleType, Any]) -> None:
    _, client = library
    for status in (204, 301, 404, 500):
        upstream.misbehaves = answering(lambda status=status: web.Response(status=status))  # type: ignore[misc]
        assert (await client.get(upstream.url)).status_code == status


async def test_a_redirection_does_not_take_our_key_along(upstream: Upstream, client: HttpClient) -> None:
    """httpx takes its own key off when it follows one; ours is added to whatever it sends."""
    elsewhere = upstream.url.replace("127.0.0.1", "localhost")
    upstream.misbehaves = answering(lambda: web.Response(status=307, headers={"location": f"{elsewhere}/?a=secret"}))
    asking = client.with_auth(Bearer(provider_context(OPENAI, key="sk-configured").keys))
    async with httpx.AsyncClient(transport=httpx_transport(asking), follow_redirects=True) as made:
        with pytest.raises(httpx.RemoteProtocolError, match="a redirection to http://localhost") as caught:
            await made.get(f"{upstream.url}/x")
    assert "secret" not in str(caught.value)
    assert len(upstream.seen) == 1


async def test_headers_in_any_encoding_are_passed_on(library: tuple[ModuleType, Any]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nx-utf8: caf\xc3\xa9\r\nx-latin: caf\xe9\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    _, client = library
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        answer = await client.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    raw = dict(answer.headers.raw)
    assert (answer.content, raw[b"x-utf8"], raw[b"x-latin"]) == (b"{}", b"caf\xc3\xa9", b"caf\xe9")


async def hangs_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def breaks_off(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"content-length": "100"})
    await answer.prepare(request)
    await answer.write(b"half")
    return await hangs_up(request)


async def never_answers(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("misbehaves", "read_s", "kind", "ours"),
    [
        (hangs_up, 30.0, "RemoteProtocolError", UpstreamError),
        (breaks_off, 30.0, "ReadError", UpstreamError),
        (never_answers, 0.2, "ReadTimeout", UpstreamTimeout),
    ],
)
async def test_errors_of_ours_become_the_library_s(
    upstream: Upstream,
    library: tuple[ModuleType, Any],
    misbehaves: Callable[..., Any],
    read_s: float,
    kind: str,
    ours: type[Exception],
) -> None:
    module, client = library
    upstream.misbehaves = misbehaves
    with pytest.raises(getattr(module, kind)) as caught:
        await client.post(f"{upstream.url}/x", json={}, timeout=module.Timeout(30.0, read=read_s))
    assert caught.value.request.url == f"{upstream.url}/x"
    assert isinstance(cause_of(caught.value), ours)


async def test_a_server_that_is_not_there_is_a_connect_error(
    library: tuple[ModuleType, Any], unused_tcp_port: int
) -> None:
    module, client = library
    with pytest.raises(module.ConnectError, match="`acme` cannot be reached"):
        await client.get(f"http://127.0.0.1:{unused_tcp_port}/")


async def test_the_client_outlives_an_sdk_that_is_closed(upstream: Upstream, client: HttpClient) -> None:
    for _ in range(2):
        async with httpx.AsyncClient(transport=httpx_transport(client)) as made:
            assert (await made.get(f"{upstream.url}/models")).json()["object"] == "list"
    assert len(upstream.connections) == 1
