"""Bodies that are sent in parts, to real servers that take them, refuse them early, or stop taking them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from msgspec.structs import replace
from multipart import MultipartParser

from runtime.conformance.contexts import provider_context
from runtime.conformance.upstream import Upstream, started_stream
from runtime.errors import StackError
from runtime.http.auth import Bearer
from runtime.http.client import HttpClient
from runtime.http.forms import FormFile, form_request
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing
from tests.support.calls import answering, failure
from tests.unit.http.test_auth import OPENAI, Tokens

CHUNK = b"x" * 65536


class Parts:
    """So many parts of a body. given: how many were asked for; closed: whether it was, and how often it began."""

    def __init__(self, count: int, part: bytes = CHUNK) -> None:
        self.count = count
        self.part = part
        self.given = 0
        self.closed = 0

    async def stream(self) -> AsyncIterator[bytes]:
        try:
            for _ in range(self.count):
                self.given += 1
                yield self.part
        finally:
            self.closed += 1


def upload(url: str, parts: Parts, *, size: int | None = None, method: str = "POST", **facts: object) -> Outgoing:
    return Outgoing(method=method, url=f"{url}/files", body=parts.stream(), size=size, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_sized", [True, False])
async def test_a_body_arrives_as_it_was_given(upstream: Upstream, client: HttpClient, is_sized: bool) -> None:
    upstream.misbehaves = answering(lambda: web.json_response({}))
    parts = Parts(20)
    await client.reply(upload(upstream.url, parts, size=20 * len(CHUNK) if is_sized else None))
    (seen,) = upstream.seen
    assert seen.raw == CHUNK * 20
    assert seen.headers.get("content-length") == (str(20 * len(CHUNK)) if is_sized else None)
    assert seen.headers.get("transfer-encoding") == (None if is_sized else "chunked")
    assert parts.closed == 1


async def test_a_large_body_leaves_the_memory_with_its_call(upstream: Upstream, client: HttpClient) -> None:
    has_begun = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        await answer.write(b"one")
        await has_begun.wait()
        await answer.write(b"two")
        return answer

    upstream.misbehaves = answer
    body = CHUNK * 20
    gc.collect()
    gc.disable()  # a circle of objects would hold it until the next search for garbage
    try:
        before = sys.getrefcount(body)
        exchange = await client.exchange(Outgoing(method="POST", url=f"{upstream.url}/chat", body=body))
        async for _ in exchange.chunks():
            has_begun.set()
        await exchange.close()
        del exchange
        assert sys.getrefcount(body) == before
    finally:
        gc.enable()


@asynccontextmanager
async def raw_server(answer: bytes, *, reads: bool = False) -> AsyncIterator[str]:
    """Answers as soon as a request's headers are there and, unless it `reads`, closes the connection: with parts of the
    body unread, which resets it.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        while reads and await reader.read(1 << 20):
            pass
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("reads", [True, False])
async def test_an_early_refusal_is_told_by_its_status(client: HttpClient, reads: bool) -> None:
    answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 8\r\nconnection: close\r\n\r\ntoo much"
    async with raw_server(answer, reads=reads) as url:
        for _ in range(20):
            parts = Parts(10_000)
            error = await failure(client.reply(upload(url, parts, size=10_000 * len(CHUNK))))
            assert (error.status, error.message.partition(":")[0]) == (413, "`acme` answered 413")
            assert parts.given < 10_000
            assert parts.closed == 1


async def test_an_early_answer_of_success_is_read(client: HttpClient) -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", reads=True) as url:
        parts = Parts(10_000)
        assert (await client.reply(upload(url, parts))).data == b"{}"
        assert parts.closed == 1


async def test_a_large_body_arrives_and_may_be_sent_again(upstream: Upstream, client: HttpClient) -> None:
    upstream.key = "token-1"
    body = b"x" * 3_000_000
    exchange = await client.with_auth(Tokens(1)).exchange(Outgoing(method="POST", url=upstream.url, body=body))
    await exchange.close()
    assert [(seen.raw == body, seen.headers["content-length"]) for seen in upstream.seen] == [(True, "3000000")] * 2


@pytest.mark.parametrize("is_whole", [True, False])
async def test_a_server_that_takes_no_more_is_given_up(client: HttpClient, is_whole: bool) -> None:
    stop = asyncio.Event()

    async def takes_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stop.wait()
        writer.close()

    async with await asyncio.start_server(takes_nothing, "127.0.0.1", 0, limit=1024) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        parts = Parts(10_000)
        request = upload(url, parts, timeouts=Timeouts(read_s=0.1))
        error = await failure(client.reply(replace(request, body=b"x" * 50_000_000) if is_whole else request))
        assert error.status == 504
        assert is_whole or (parts.closed == 1 and parts.given < 10_000)
        stop.set()


async def test_a_source_may_take_longer_than_the_server_is_given(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: web.json_response({}))

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0.1)
            yield b"part"

    request = Outgoing(method="POST", url=upstream.url, body=slow(), timeouts=Timeouts(read_s=0.05))
    assert (await client.reply(request)).data == b"{}"
    assert upstream.seen[0].raw == b"partpartpart"


@pytest.mark.parametrize("size", [len(CHUNK) * 2 - 1, len(CHUNK) * 2 + 1])
async def test_a_body_of_another_size_than_announced_is_an_error_of_ours(
    upstream: Upstream, client: HttpClient, size: int
) -> None:
    parts = Parts(2)
    with pytest.raises(StackError, match=f"a body of {size} bytes was announced"):
        await client.reply(upload(upstream.url, parts, size=size))
    assert parts.closed == 1


async def test_what_its_source_raises_is_raised(upstream: Upstream, client: HttpClient) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise LookupError("the file is gone")

    with pytest.raises(LookupError, match="the file is gone"):
        await client.reply(Outgoing(method="POST", url=upstream.url, body=broken()))


async def begun(parts: Parts) -> Outgoing:
    """An upload whose source has begun, so that to close it can be seen."""
    stream = parts.stream()
    await anext(stream)
    return Outgoing(method="POST", url="http://127.0.0.1:9/files", body=stream)


async def test_a_source_is_closed_where_nothing_is_sent(client: HttpClient) -> None:
    unreachable, without_key = Parts(5), Parts(5)
    await failure(client.reply(await begun(unreachable)))
    with pytest.raises(StackError, match="has no key"):
        asking = client.with_auth(Bearer(provider_context(OPENAI).keys, required=True))
        await asking.reply(await begun(without_key))
    assert (unreachable.closed, without_key.closed) == (1, 1)


async def test_a_source_is_closed_where_the_caller_leaves(client: HttpClient) -> None:
    arrived = asyncio.Event()

    async def takes_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        arrived.set()
        while await reader.read(1 << 20):
            pass
        writer.close()

    waiting = Parts(1)

    async def never_ends() -> AsyncIterator[bytes]:
        async for part in (stream := waiting.stream()):
            yield part
            try:
                await asyncio.Event().wait()
            finally:
                await stream.aclose()  # type: ignore[attr-defined]

    async with await asyncio.start_server(takes_all, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        call = asyncio.create_task(client.reply(Outgoing(method="POST", url=url, body=never_ends())))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert waiting.closed == 1
        await client.close()


async def test_a_put_that_a_used_connection_lost_is_not_sent_without_its_body(client: HttpClient) -> None:
    """aiohttp sends a PUT again, and the parts of this one are gone."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        if len(requests) == 1:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            await reader.readexactly(4)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await client.reply(Outgoing(method="GET", url=url))
        error = await failure(client.reply(upload(url, Parts(1, b"part"), method="PUT")))
    assert error.message.startswith("`acme` closed the connection before it answered")
    assert [request.split(b" ")[0] for request in requests] == [b"GET", b"PUT"]


async def test_a_form_with_files_arrives(upstream: Upstream, client: HttpClient) -> None:
    """Read by the parser that our own server has."""
    upstream.misbehaves = answering(lambda: web.json_response({}))
    parts = Parts(3)
    for content, size in ((b"whole", None), (parts.stream(), 3 * len(CHUNK)), (Parts(1, b"unsized").stream(), None)):
        file = FormFile(name="file", filename='a "b"\r\n.txt', content=content, size=size, content_type="text/plain")
        fields = [("purpose", "assistants"), ("tag", "é"), ("tag", "two")]
        await client.reply(form_request(f"{upstream.url}/files", fields, [file]))
        seen = upstream.seen[-1]
        boundary = seen.headers["content-type"].removeprefix("multipart/form-data; boundary=")
        form = list(MultipartParser(io.BytesIO(seen.raw), boundary))
        assert [(part.name, part.value) for part in form[:3]] == [*fields]
        assert (form[3].name, form[3].filename, form[3].content_type) == ("file", 'a "b"\r\n.txt', "text/plain")
        assert form[3].raw == (content if isinstance(content, bytes) else CHUNK * 3 if size else b"unsized")
        for part in form:
            part.close()
    lengths = [seen.headers.get("content-length") for seen in upstream.seen]
    assert [length is not None for length in lengths] == [True, True, False]
    assert [int(length) for length in lengths if length] == [len(seen.raw) for seen in upstream.seen[:2]]
    assert parts.closed == 1


async def test_a_form_closes_all_its_files_wherever_it_ends(client: HttpClient) -> None:
    first, second = Parts(5), Parts(5)
    streams = [first.stream(), second.stream()]
    for stream in streams:
        await anext(stream)
    files = [FormFile(name="f", filename="f", content=stream) for stream in streams]
    await failure(client.reply(form_request("http://127.0.0.1:9/", {}, files)))
    assert (first.closed, second.closed) == (1, 1)


@pytest.mark.parametrize("is_short", [True, False])
async def test_a_source_that_fails_after_the_answer_began_ends_the_call(client: HttpClient, is_short: bool) -> None:
    """aiohttp leaves the reader of such an answer waiting for ever."""
    has_begun = asyncio.Event()

    async def answers_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while await reader.read(1 << 16):
                pass
        writer.close()

    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        await has_begun.wait()
        if not is_short:
            raise LookupError("the file is gone")

    async with await asyncio.start_server(answers_early, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        body = Outgoing(method="POST", url=url, body=broken(), size=2 if is_short else None)
        exchange = await client.send(body)
        reading = asyncio.create_task(exchange.read())
        await asyncio.sleep(0)
        has_begun.set()
        with pytest.raises(StackError if is_short else LookupError, match="announced" if is_short else "is gone"):
            async with asyncio.timeout(5):
                await reading
        await exchange.close()


async def test_a_call_that_is_cancelled_twice_is_cancelled_and_its_source_closed(
    upstream: Upstream, client: HttpClient
) -> None:
    """The second time while the source, which the first one has reached, still closes."""
    runs, closes, may_close, closed = asyncio.Event(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow_to_close() -> AsyncIterator[bytes]:
        try:
            yield b"part"
            runs.set()
            await asyncio.Event().wait()
        finally:
            closes.set()
            await may_close.wait()
            closed.set()

    asking = asyncio.create_task(client.reply(Outgoing(method="POST", url=upstream.url, body=slow_to_close())))
    async with asyncio.timeout(5):
        await runs.wait()
        asking.cancel()
        await closes.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        may_close.set()
        await closed.wait()
