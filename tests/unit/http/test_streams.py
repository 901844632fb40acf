"""Streams that are none, that break off, that tell an error, and that are complete: each looks like what it is."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from aiohttp import web

from runtime.errors import UpstreamError, UpstreamRejected, UpstreamTimeout
from runtime.http.client import HttpClient
from runtime.http.transport import Outgoing, Timeouts
from runtime.providers.inference._openai_compatible.streams import FinishReasons, as_events
from runtime.sse import EventStream, Json
from tests.support.calls import SECRET, answering, chat, failure
from tests.support.upstream import Upstream, refusal, started_stream

CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason": "stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


def writing(*parts: bytes, cut: bool = False) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A stream of these parts, each a write of its own. cut: the connection closes without the body's end."""

    async def answer(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        for part in parts:
            await answer.write(part)
        assert request.transport is not None
        if cut:
            request.transport.close()  # what was written still goes out, the chunk that ends the body does not
        return answer

    return answer


async def opened(client: HttpClient, upstream: Upstream, *, choices: int = 1) -> EventStream:
    return await client.stream(
        chat(upstream, stream=True), ending=FinishReasons(choices), whole=partial(as_events, with_usage=True)
    )


async def read(client: HttpClient, upstream: Upstream, *, choices: int = 1) -> list[Json]:
    stream = await opened(client, upstream, choices=choices)
    return [event async for frames in stream for event in frames.events()]


async def broken(client: HttpClient, upstream: Upstream, *, choices: int = 1) -> tuple[int, UpstreamError]:
    """How many events came before a stream failed, and how it did."""
    stream = await opened(client, upstream, choices=choices)
    events: list[Json] = []

    async def rest() -> None:
        async for frames in stream:
            assert b"[DONE]" not in frames.data
            events.extend(frames.events())

    error = await failure(rest())
    return len(events), error


@pytest.mark.parametrize(
    "parts",
    [
        (CHUNK, LAST, DONE),
        (CHUNK + LAST + DONE,),
        (CHUNK, DONE),  # `[DONE]` says it, whatever the events say
        (CHUNK, LAST),
        (CHUNK, LAST, b'data: {"choices":[],"usage":{"total_tokens":3}}\n\n'),
        (CHUNK, LAST, b"data:[DONE]"),
        (CHUNK, LAST.rstrip()),
        (b"\xef\xbb\xbf" + CHUNK, LAST),
        (b": hello\n\n", CHUNK, b": still here\n\n", LAST, DONE),
        (b"\n", CHUNK[:7], CHUNK[7:], LAST),
        (b"event: message\nid: 1\n" + CHUNK, LAST),
        (CHUNK.replace(b"\n", b"\r"), LAST.replace(b"\n", b"\r\n")),
    ],
    ids=repr,
)
async def test_a_whole_stream_is_whole(upstream: Upstream, client: HttpClient, parts: tuple[bytes, ...]) -> None:
    upstream.misbehaves = writing(*parts)
    events = [event for event in await read(client, upstream) if event["choices"]]
    wanted = 1 if parts[-1] is DONE and LAST not in b"".join(parts) else 2
    assert len(events) == wanted


async def test_events_that_end_in_cr_come_one_by_one(upstream: Upstream, client: HttpClient) -> None:
    go_on = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        await answer.write(CHUNK.replace(b"\n", b"\r"))
        await go_on.wait()
        await answer.write(LAST.replace(b"\n", b"\r"))
        return answer

    upstream.misbehaves = answer
    async with asyncio.timeout(5):
        stream = await opened(client, upstream)
        assert len((await anext(stream)).events()) == 1
        go_on.set()
        assert [len(frames.events()) async for frames in stream] == [1]


@pytest.mark.parametrize("cut", [True, False], ids=["cut", "ended"])
@pytest.mark.parametrize(
    ("parts", "came"),
    [((CHUNK,), 1), ((CHUNK, CHUNK + LAST[:20]), 2), ((CHUNK, LAST[:-10]), 1), ((CHUNK, b"data: [DO"), 1)],
    ids=repr,
)
async def test_a_stream_that_breaks_off_gives_what_came_and_then_the_error(
    upstream: Upstream, client: HttpClient, parts: tuple[bytes, ...], came: int, cut: bool
) -> None:
    upstream.misbehaves = writing(*parts, cut=cut)
    events, error = await broken(client, upstream)
    assert (events, error.status) == (came, 502)
    assert error.message.startswith("`acme` broke off its answer")


async def test_a_stream_of_several_choices_ends_when_all_have(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = writing(CHUNK, LAST)
    assert (await broken(client, upstream, choices=2))[0] == 2
    upstream.misbehaves = writing(CHUNK, LAST + LAST)
    assert len(await read(client, upstream, choices=2)) == 3


async def test_a_connection_that_breaks_after_the_last_event_harms_nobody(
    upstream: Upstream, client: HttpClient
) -> None:
    upstream.misbehaves = writing(CHUNK, LAST, cut=True)
    assert len(await read(client, upstream)) == 2


async def test_what_follows_done_is_not_waited_for(upstream: Upstream, client: HttpClient) -> None:
    async def lingers(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        await answer.write(CHUNK + DONE)
        await asyncio.Event().wait()
        raise AssertionError

    upstream.misbehaves = lingers
    async with asyncio.timeout(5):
        assert len(await read(client, upstream)) == 1
        await upstream.ended_early.wait()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda: web.Response(text="<html>\nhotel\n\nlogin</html>", content_type="text/html"), "<html> hotel login"),
        (lambda: web.Response(text="<html>\n\n</html>\n\n", content_type="text/event-stream"), "<html> </html>"),
        (lambda: web.Response(text="", content_type="text/event-stream"), "no content"),
        (lambda: web.Response(text="\n\n", content_type="text/event-stream"), "no content"),
        (lambda: web.Response(status=204), "no content"),
        (lambda: web.Response(body=gzip.compress(CHUNK + DONE), content_type="text/event-stream"), "no stream"),
        (lambda: web.Response(body=b"x", headers={"content-encoding": "br"}), "content encoding `br`"),
        (lambda: web.Response(text=": only a comment\n\n", content_type="text/event-stream"), "broke off"),
        (lambda: web.Response(text="event: ping\n\n", content_type="text/event-stream"), "broke off"),
        (lambda: web.Response(text='{"choices": [', content_type="application/json"), '{"choices": ['),
        (lambda: web.json_response([]), "[]"),
        (lambda: web.json_response({"object": "list", "data": []}), '"data": []'),
        (lambda: web.json_response({"key": SECRET}), "********"),
        (lambda: web.json_response({"error": {"message": "streams are for members"}}), "streams are for members"),
        (lambda: web.Response(text='{"response": "native"}\n{"done": true}\n'), '{"response": "native"}'),
    ],
)
async def test_what_is_no_stream_is_an_error_that_quotes_it(
    upstream: Upstream, client: HttpClient, answer: Callable[[], web.Response], words: str
) -> None:
    upstream.misbehaves = answering(answer)
    error = await failure(opened(client, upstream))
    assert error.status == 502
    assert words in error.message


async def test_a_whole_answer_in_place_of_a_stream_is_a_stream_of_it(upstream: Upstream, client: HttpClient) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "hi", "tool_calls": [call]}
    whole = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "usage": {"total_tokens": 3},
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }  # fmt: skip
    upstream.misbehaves = answering(lambda: web.json_response(whole))
    event, usage = await read(client, upstream)
    assert event["object"] == usage["object"] == "chat.completion.chunk"
    assert event["choices"] == [
        {"index": 0, "finish_reason": "stop", "delta": {**message, "tool_calls": [{"index": 0, **call}]}}
    ]
    assert (usage["choices"], usage["usage"], "usage" in event) == ([], {"total_tokens": 3}, False)


@pytest.mark.parametrize(
    ("event", "status", "words"),
    [
        (b'data: {"error": {"message": "overloaded", "code": 429}}', 429, "answered 429: overloaded"),
        (b'data: {"error": {"message": "broken", "code": 500}}', 502, "answered 500: broken"),
        (b'data: {"error": {"message": "busy", "status": 503}}', 503, "answered 503: busy"),
        (b'data: {"error": {"message": "odd", "code": "weird"}}', 502, "ended its answer with an error: odd"),
        (b'data: {"error": "plain words"}', 502, "plain words"),
        (b'event: error\ndata: {"message": "named"}', 502, "named"),
        (b'data: {"error": {"message": "key %b"}}' % SECRET.encode(), 502, "key ********"),
        (b'data: {"error": {"reason": 7}}', 502, '{"reason":7}'),
    ],
)
async def test_a_first_event_that_is_an_error_is_a_real_status(
    upstream: Upstream, client: HttpClient, event: bytes, status: int, words: str
) -> None:
    upstream.misbehaves = writing(b": wait\n\n", event + b"\n\n", DONE)
    error = await failure(opened(client, upstream))
    assert error.status == status
    assert isinstance(error, UpstreamRejected) == (status == 429)
    assert words in error.message


@pytest.mark.parametrize(
    "event",
    [b'data: {"error": {"message": "lost"}}\n\n', b'event: error\ndata: {"message":"lost"}\n\n'],
)
@pytest.mark.parametrize("parts", [1, 2])
async def test_an_error_in_the_middle_ends_the_stream_with_it(
    upstream: Upstream, client: HttpClient, event: bytes, parts: int
) -> None:
    upstream.misbehaves = writing(CHUNK + event + DONE) if parts == 1 else writing(CHUNK, event, DONE)
    events, error = await broken(client, upstream)
    assert (events, error.message) == (1, "`acme` ended its answer with an error: lost")


async def test_numbers_that_json_does_not_have_are_not_passed_on(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = writing(CHUNK, b'data: {"choices":[{"logprobs":{"x":NaN}}]}\n\n', LAST, DONE)
    events, error = await broken(client, upstream)
    assert (events, "no JSON" in error.message) == (1, True)


async def test_a_refused_stream_is_refused_before_the_first_event(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(lambda: refusal(429, "later"))
    assert (await failure(opened(client, upstream))).status == 429


async def test_silence_in_the_middle_of_a_stream_is_a_504(upstream: Upstream, client: HttpClient) -> None:
    upstream.gate.clear()
    request = chat(upstream, stream=True)
    impatient = Outgoing(
        method="POST",
        url=request.url,
        headers=request.headers,
        body=request.body,
        timeouts=Timeouts(connect_s=1, read_s=0.05),
    )
    stream = await client.stream(impatient, ending=FinishReasons(1))
    await anext(stream)
    with pytest.raises(UpstreamTimeout):
        await anext(stream)


async def test_closing_a_stream_early_ends_the_call_upstream(upstream: Upstream, client: HttpClient) -> None:
    upstream.gate.clear()
    stream = await opened(client, upstream)
    await anext(stream)
    await stream.aclose()
    async with asyncio.timeout(5):
        await upstream.ended_early.wait()


async def test_closing_a_stream_that_nobody_read_ends_the_call_upstream(upstream: Upstream, client: HttpClient) -> None:
    upstream.gate.clear()
    await (await opened(client, upstream)).aclose()
    async with asyncio.timeout(5):
        await upstream.ended_early.wait()


async def test_leaving_before_the_first_event_ends_the_call_upstream(upstream: Upstream, client: HttpClient) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        await answer.write(b": wait\n\n")
        upstream.waiting_at_gate.set()
        await asyncio.Event().wait()
        return answer

    upstream.misbehaves = silent
    call = asyncio.create_task(opened(client, upstream))
    await upstream.waiting_at_gate.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(5):
        await upstream.ended_early.wait()
