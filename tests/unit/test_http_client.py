"""The one way out, against a real local server that fails in every way a vendor does."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.context import RequestContext, serving
from runtime.errors import StackError, UpstreamError, UpstreamRejected, UpstreamTimeout
from runtime.http_client import HttpClient, Outgoing, Timeouts, json_request
from tests.support.upstream import Upstream, refusal, started_stream, upstream_server

SECRET = "sk-very-secret-key"
HEADERS = {"authorization": f"Bearer {SECRET}"}


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with upstream_server() as running:
        yield running


@pytest_asyncio.fixture
async def client() -> AsyncIterator[HttpClient]:
    opened = HttpClient("acme", timeouts=Timeouts(connect_s=2, read_s=5))
    yield opened
    await opened.close()


def answering(make: Callable[[], web.StreamResponse]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        return make()

    return answer


def chat(upstream: Upstream, *, stream: bool = False, **facts: object) -> Outgoing:
    body = {"model": "small-chat", "messages": [{"role": "user", "content": "hello"}], "stream": stream, **facts}
    return json_request(f"{upstream.url}/chat/completions", body, headers=HEADERS)


async def failure(work: Awaitable[object]) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await work
    assert SECRET not in str(caught.value.body())
    assert caught.value.provider_id == "acme"
    return caught.value


async def test_a_request_arrives_as_it_was_meant(upstream: Upstream, client: HttpClient) -> None:
    with serving(RequestContext(request_id="req_7")):
        await client.read(chat(upstream))
    (seen,) = upstream.seen
    assert (seen.method, seen.headers["content-type"], seen.headers["authorization"]) == (
        "POST",
        "application/json",
        f"Bearer {SECRET}",
    )
    assert seen.headers["x-request-id"] == "req_7"
    assert seen.headers["user-agent"] == "llama-stack"
    assert "accept-encoding" not in seen.headers  # bodies are passed on, so nothing compressed is asked for
    assert seen.json()["messages"] == [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize(
    ("status", "type", "code"),
    [
        (400, "invalid_request_error", "context_length_exceeded"),
        (401, "invalid_request_error", "invalid_api_key"),
        (404, "invalid_request_error", "model_not_found"),
        (409, "conflict", None),
        (413, "too_large", "x"),
        (422, "unprocessable", None),
        (429, "tokens", "rate_limit_exceeded"),
    ],
)
async def test_a_vendor_s_4xx_is_passed_on_with_its_words(
    upstream: Upstream, client: HttpClient, status: int, type: str, code: str | None
) -> None:
    upstream.misbehaves = answering(
        lambda: refusal(status, "the vendor's words", type=type, param="p", code=code, headers={"retry-after": "3"})
    )
    error = await failure(client.read(chat(upstream)))
    assert isinstance(error, UpstreamRejected)
    assert (error.status, error.upstream_status, error.type, error.param) == (status, status, type, "p")
    assert error.code == (code or "upstream_error")
    assert error.message == f"`acme` answered {status}: the vendor's words"
    assert error.headers == {"retry-after": "3"}


@pytest.mark.parametrize(
    ("answered", "ours"), [(500, 502), (501, 502), (502, 502), (503, 503), (504, 504), (520, 502), (529, 502)]
)
async def test_a_vendor_s_failure_is_never_a_500_of_ours(
    upstream: Upstream, client: HttpClient, answered: int, ours: int
) -> None:
    upstream.misbehaves = answering(
        lambda: refusal(answered, "on fire", type="server_error", headers={"Retry-After": "9"})
    )
    error = await failure(client.read(chat(upstream)))
    assert (error.status, error.upstream_status) == (ours, answered)
    assert error.headers == {"retry-after": "9"}
    assert isinstance(error, UpstreamTimeout) == (answered == 504)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "plain words"}', "plain words"),
        (b'{"detail": "FastAPI\'s words"}', "FastAPI's words"),
        (b'{"message": "spread out", "code": 7}', "spread out"),
        (b'{"detail": [{"loc": ["body"], "msg": "no"}]}', '{"detail": [{"loc": ["body"], "msg": "no"}]}'),
        (b'{"error": {"message": {"nested": 1}}}', '{"error": {"message": {"nested": 1}}}'),
        (b"<html>nginx</html>", "<html>nginx</html>"),
        (b"", "no reason given"),
        (b"\xff\xfe", "��"),
    ],
)
async def test_every_way_to_word_an_error_is_understood(
    upstream: Upstream, client: HttpClient, body: bytes, words: str
) -> None:
    upstream.misbehaves = answering(lambda: web.Response(status=400, body=body))
    assert (await failure(client.read(chat(upstream)))).message == f"`acme` answered 400: {words}"


async def test_a_refused_key_says_whose_and_does_not_show_it(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: refusal(401, f"Incorrect API key provided: {SECRET}"))
    error = await failure(client.read(chat(upstream)))
    assert (error.status, error.code) == (401, "upstream_refused_key")
    assert error.hint == "the key of provider `acme` was not accepted"
    assert error.message.endswith("Incorrect API key provided: ********")


async def test_an_error_s_body_is_read_only_so_far(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: web.Response(status=400, body=b"x" * 10_000_000))
    assert len((await failure(client.read(chat(upstream)))).message) < 600


async def test_an_error_whose_body_breaks_off_keeps_its_status(upstream: Upstream, client: HttpClient) -> None:
    async def breaks_off(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=429, headers={"content-length": "1000"})
        await answer.prepare(request)
        await answer.write(b"slow down")
        assert request.transport is not None
        request.transport.abort()
        return answer

    upstream.misbehaves = breaks_off
    assert (await failure(client.read(chat(upstream)))).status == 429


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirection_is_not_followed(upstream: Upstream, client: HttpClient, status: int) -> None:
    upstream.misbehaves = answering(
        lambda: web.Response(
            status=status, headers={"location": f"{upstream.url.replace('http://', 'http://me:pw@')}/else?key=1"}
        )
    )
    error = await failure(client.read(chat(upstream)))
    assert error.status == 502
    assert error.message == f"`acme` answered {status}, a redirection to {upstream.url}/else"
    assert len(upstream.seen) == 1


async def test_a_refused_connection_is_a_502_that_names_the_place(client: HttpClient) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://me:{SECRET}@127.0.0.1:{free.getsockname()[1]}/v1/models?key={SECRET}"
    error = await failure(client.read(Outgoing(method="GET", url=url)))
    assert (error.status, error.code) == (502, "upstream_unreachable")
    assert "/v1/models" in error.message and "me" not in error.message.split("at ")[1].split("/v1")[0]


@pytest.mark.parametrize("url", ["", "nonsense", "http://", "ftp://127.0.0.1/x", "http://127.0.0.1:99999/"])
async def test_what_is_no_address_is_a_502(client: HttpClient, url: str) -> None:
    assert (await failure(client.read(Outgoing(method="GET", url=url)))).status == 502


async def test_silence_before_the_answer_is_a_504(upstream: Upstream, client: HttpClient) -> None:
    silence = asyncio.Event()

    async def says_nothing(_: web.Request) -> web.StreamResponse:
        await silence.wait()
        return web.Response()

    upstream.misbehaves = says_nothing
    request = Outgoing(method="GET", url=upstream.url, timeouts=Timeouts(connect_s=1, read_s=0.05))
    error = await failure(client.read(request))
    assert (error.status, error.code) == (504, "upstream_timeout")


async def test_silence_in_the_middle_of_a_stream_is_a_504(upstream: Upstream, client: HttpClient) -> None:
    upstream.gate.clear()
    request = chat(upstream, stream=True)
    stream = await client.stream(
        Outgoing(
            method="POST",
            url=request.url,
            headers=request.headers,
            body=request.body,
            timeouts=Timeouts(connect_s=1, read_s=0.05),
        )
    )
    with pytest.raises(UpstreamTimeout):
        async for _ in stream:
            pass


async def test_a_server_that_hangs_up_is_a_502(upstream: Upstream, client: HttpClient) -> None:
    async def hangs_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    upstream.misbehaves = hangs_up
    assert (await failure(client.read(chat(upstream)))).status == 502


async def cut_midway(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"content-type": "application/json", "content-length": "1000"})
    await answer.prepare(request)
    await answer.write(b'{"id": ')
    assert request.transport is not None
    request.transport.abort()
    return answer


async def test_a_body_that_breaks_off_is_a_502(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = cut_midway
    error = await failure(client.read(chat(upstream)))
    assert (error.status, error.message) == (502, f"`acme` broke off its answer ({upstream.url}/chat/completions)")


async def test_a_stream_that_breaks_off_gives_what_came_and_then_the_error(
    upstream: Upstream, client: HttpClient
) -> None:
    async def breaks_off(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        await answer.write(b'data: {"a":1}\n\ndata: {"a"')
        assert request.transport is not None
        request.transport.close()  # what was written still goes out, the chunk that ends the body does not
        return answer

    upstream.misbehaves = breaks_off
    events = []
    with pytest.raises(UpstreamError):
        async for frames in await client.stream(chat(upstream, stream=True)):
            events += frames.events()
    assert events == [{"a": 1}]


GZIPPED = gzip.compress(b"{}", mtime=0)  # the same each time: it is in the test's name


@pytest.mark.parametrize("body", [b"<html>hotel login</html>", b"", b"[1]", GZIPPED, b'{"cut": '], ids=str)
async def test_a_reply_that_is_no_json_object_is_a_502(upstream: Upstream, client: HttpClient, body: bytes) -> None:
    upstream.misbehaves = answering(lambda: web.Response(body=body))
    assert (await failure(client.reply(chat(upstream)))).status == 502


async def test_a_reply_is_passed_on_byte_for_byte(upstream: Upstream, client: HttpClient) -> None:
    body = b' {"a" : 1.10, "unknown":"\\u00e9" }\n'
    upstream.misbehaves = answering(lambda: web.Response(body=body))
    assert (await client.reply(chat(upstream))).data == body


@pytest.mark.parametrize("body", [b"[]", b"7", b"no"])
async def test_a_listing_that_is_no_json_object_is_a_502(upstream: Upstream, client: HttpClient, body: bytes) -> None:
    upstream.misbehaves = answering(lambda: web.Response(body=body))
    assert (await failure(client.get_json(f"{upstream.url}/models", headers={}))).status == 502


async def test_json_in_place_of_a_stream_is_an_error_with_its_words(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: web.json_response({"error": {"message": "streams are for members"}}))
    error = await failure(client.stream(chat(upstream, stream=True)))
    assert (error.status, error.message.rsplit(": ", 1)[1]) == (502, "streams are for members")


async def test_a_refused_stream_is_refused_before_the_first_event(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: refusal(429, "later"))
    assert (await failure(client.stream(chat(upstream, stream=True)))).status == 429


async def test_a_connection_is_used_again(upstream: Upstream, client: HttpClient) -> None:
    for stream in (False, True, False):
        request = chat(upstream, stream=stream)
        if stream:
            async for _ in await client.stream(request):
                pass
        else:
            await client.read(request)
    upstream.misbehaves = answering(lambda: refusal(400, "no"))
    await failure(client.read(chat(upstream)))
    upstream.misbehaves = None
    await client.read(chat(upstream))
    assert len(upstream.seen) == 5
    assert len(upstream.connections) == 1


async def test_closing_a_stream_early_ends_the_call_upstream(upstream: Upstream, client: HttpClient) -> None:
    upstream.gate.clear()
    stream = await client.stream(chat(upstream, stream=True))
    await anext(stream)
    await stream.aclose()
    async with asyncio.timeout(5):
        await upstream.ended_early.wait()


async def test_closing_a_stream_that_nobody_read_ends_the_call_upstream(upstream: Upstream, client: HttpClient) -> None:
    upstream.gate.clear()
    await (await client.stream(chat(upstream, stream=True))).aclose()
    async with asyncio.timeout(5):
        await upstream.ended_early.wait()


async def test_cancelling_a_call_ends_it_upstream(upstream: Upstream, client: HttpClient) -> None:
    arrived = asyncio.Event()

    async def waits(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError

    upstream.misbehaves = waits
    call = asyncio.create_task(client.read(chat(upstream)))
    await arrived.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(5):
        await upstream.ended_early.wait()


async def test_cookies_of_a_vendor_are_not_kept(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: web.json_response({}, headers={"set-cookie": "session=1; Path=/"}))
    await client.read(chat(upstream))
    await client.read(chat(upstream))
    assert "cookie" not in upstream.seen[1].headers


async def test_nothing_secret_is_logged(
    upstream: Upstream, client: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await client.read(chat(upstream))
        upstream.misbehaves = answering(lambda: refusal(401, f"bad key {SECRET}"))
        with pytest.raises(StackError):
            await client.read(chat(upstream))
    assert SECRET not in caplog.text
    assert SECRET not in repr(chat(upstream))


async def test_a_client_opens_nothing_until_it_sends_and_closes_twice(client: HttpClient) -> None:
    await client.close()
    await client.close()


class OneAnswerAConnection:
    """A server that closes each connection as the second request on it comes, and says nothing of it before. aiohttp's
    own cannot be made to, so this one speaks just enough HTTP.
    """

    def __init__(self, answers: int = 1) -> None:
        self.answers = answers
        self.bodies: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        for place in range(self.answers + 1):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            if place == self.answers:
                break
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            self.bodies.append(await reader.readexactly(length))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()


@pytest_asyncio.fixture
async def closing_server() -> AsyncIterator[tuple[OneAnswerAConnection, str]]:
    closing = OneAnswerAConnection()
    async with await asyncio.start_server(closing.serve, "127.0.0.1", 0) as server:
        yield closing, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_a_connection_that_was_closed_while_idle_is_not_an_error(
    client: HttpClient, closing_server: tuple[OneAnswerAConnection, str]
) -> None:
    """llama.cpp's server does this, and whoever closes idle connections does it now and then."""
    closing, url = closing_server
    for number in range(4):
        assert await client.read(json_request(url, {"number": number}, headers={})) == b"{}"
    assert closing.bodies == [b'{"number":%d}' % number for number in range(4)]
    assert closing.connections == 4


async def test_a_request_that_a_new_connection_lost_is_not_sent_twice(
    client: HttpClient, closing_server: tuple[OneAnswerAConnection, str]
) -> None:
    closing, url = closing_server
    closing.answers = 0
    assert (await failure(client.read(json_request(url, {}, headers={})))).status == 502
    assert closing.connections == 1


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy that answers everything itself: its `host:port`, and the first line of each request it was sent."""
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", seen


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def far(scheme: str = "http") -> Outgoing:
    return json_request(f"{scheme}://vendor.invalid/v1/x", {}, headers=HEADERS)


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize(
    ("variable", "form"),
    [
        ("http_proxy", "http://{}"),
        ("HTTP_PROXY", "http://{}/"),
        ("HTTP_PROXY", "HTTP://me:hush@{}"),
        ("http_proxy", "{}"),
        ("ALL_PROXY", "http://{}"),
        ("all_proxy", "{}"),
    ],
)
async def test_a_proxy_of_the_environment_is_used(
    client: HttpClient, proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, variable: str, form: str
) -> None:
    address, seen = proxy
    monkeypatch.setenv(variable, form.format(address))
    assert await client.read(far()) == b"{}"
    assert seen == ["POST http://vendor.invalid/v1/x HTTP/1.1"]


@pytest.mark.usefixtures("no_proxies")
async def test_the_scheme_s_own_proxy_comes_before_the_one_for_all(
    client: HttpClient, proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy[0])
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    assert await client.read(far()) == b"{}"
    assert (await failure(client.read(far("https")))).code == "proxy_not_usable"


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("exempt", ["127.0.0.1", "127.0.0.1:{port}", "*"])
async def test_what_no_proxy_names_is_reached_directly(
    upstream: Upstream, client: HttpClient, proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, exempt: str
) -> None:
    monkeypatch.setenv("all_proxy", proxy[0])
    monkeypatch.setenv("no_proxy", exempt.format(port=upstream.url.split(":")[2].split("/")[0]))
    await client.read(chat(upstream))
    assert (len(upstream.seen), proxy[1]) == (1, [])


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("http_proxy", "https://me:hush@127.0.0.1:{port}"),
        ("HTTP_PROXY", "socks5://me:hush@127.0.0.1:{port}"),
        ("ALL_PROXY", "socks5h://me:hush@127.0.0.1:{port}"),
        ("all_proxy", "http://me:hush@127.0.0.1:none"),
        ("http_proxy", "http://"),
        ("http_proxy", "http://[::1"),
    ],
)
async def test_a_proxy_that_cannot_be_spoken_to_is_not_passed_by(
    upstream: Upstream, client: HttpClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    variable: str, value: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, value.format(port=upstream.url.split(":")[2].split("/")[0]))
    for _ in range(2):
        error = await failure(client.read(chat(upstream)))
        assert (error.status, error.code) == (502, "proxy_not_usable")
        assert f"`{variable}`" in error.message
    assert upstream.seen == []  # neither directly nor by way of what is no proxy
    assert [(record.message, record.__dict__["variable"]) for record in caplog.records] == [
        ("the proxy of a variable cannot be used", variable)
    ]
    assert "hush" not in f"{error.body()} {caplog.text} {[vars(record) for record in caplog.records]}"
