"""Streams that are none, that break off, that tell an error, and that are complete: each looks like what it is."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest
from aiohttp import web

from runtime.conformance.upstream import Upstream, refusal, started_stream
from runtime.errors import UpstreamError, UpstreamRejected, UpstreamTimeout
from runtime.http import streams
from runtime.http.client import HttpClient
from runtime.http.live import exchange
from runtime.http.refusals import Call
from runtime.http.streams import open_stream
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing
from runtime.providers.inference._openai_compatible.streams import FinishReasons, as_events
from runtime.sse import EventStream, Json
from tests.support.calls import SECRET, answering, chat, failure

CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason": "stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
_WHOLE = partial(as_events, with_usage=True)
_CALL = Call("acme", Outgoing(method="POST", url="http://127.0.0.1/v1/chat/completions"))


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
    return await client.stream(chat(upstream, stream=True), ending=FinishReasons(choices), whole=_WHOLE)


async def read(client: HttpClient, upstream: Upstream, *, choices: int = 1) -> list[Json]:
    stream = await opened(client, upstream, choices=choices)
    return [event async for frames in stream for event in frames.events()]


async def _drained(stream: EventStream) -> None:
    async for _ in stream:
        pass


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
        (b"\xef", b"\xbb", b"\xbf", CHUNK, LAST, DONE),
        (CHUNK, LAST.rstrip() + b"\n" + DONE),
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
    other = LAST.replace(b'"index":0', b'"index":1')
    upstream.misbehaves = writing(CHUNK, LAST, LAST)  # one that ends twice ends no other
    assert (await broken(client, upstream, choices=2))[0] == 3
    upstream.misbehaves = writing(CHUNK, LAST + other)
    assert len(await read(client, upstream, choices=2)) == 3


@pytest.mark.parametrize("reason", [b'""', b'"stop",'], ids=["empty", "no JSON"])
async def test_a_reason_that_is_none_ends_nothing(upstream: Upstream, client: HttpClient, reason: bytes) -> None:
    upstream.misbehaves = writing(CHUNK.replace(b"null", reason))
    error = await failure(_drained(await opened(client, upstream)))
    assert error.code == "upstream_incomplete"


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
    unasked = as_events(whole, with_usage=False)
    assert unasked is not None
    assert unasked.events() == [event]


async def test_a_tool_call_that_is_none_is_passed_on(upstream: Upstream, client: HttpClient) -> None:
    choice = {"index": 0, "message": {"tool_calls": [None]}, "finish_reason": "tool_calls"}
    upstream.misbehaves = answering(lambda: web.json_response({"object": "chat.completion", "choices": [choice]}))
    assert [event["choices"][0]["delta"] for event in await read(client, upstream)] == [{"tool_calls": [None]}]


@pytest.mark.parametrize(
    ("event", "status", "words"),
    [
        (b'data: {"error": {"message": "overloaded", "code": 429}}', 429, "answered 429: overloaded"),
        (b'data: {"error": {"message": "overloaded", "code": "429"}}', 429, "answered 429: overloaded"),
        (b'data: {"error": true, "message": "flagged"}', 502, "error: flagged"),
        (b'data: {"error": ["listed"]}', 502, '{"error": ["listed"]}'),
        (b'event: error\ndata: ["named"]', 502, 'error: ["named"]'),
        (b'data: {"error": {"message": "broken", "code": 500}}', 502, "answered 500: broken"),
        (b'data: {"error": {"message": "busy", "status": 503}}', 503, "answered 503: busy"),
        (b'data: {"error": {"message": "busy", "type": "overloaded_error"}}', 503, "answered 529: busy"),
        (b'data: {"error": {"message": "slow", "type": "rate_limit_error"}}', 429, "answered 429: slow"),
        (b'data: {"error": {"message": "odd", "code": "weird"}}', 502, "ended its answer with an error: odd"),
        (b'data: {"error": "plain words"}', 502, "plain words"),
        (b'event: error\ndata: {"message": "named"}', 502, "named"),
        (b'data: {"error": {"message": "key %b"}}' % SECRET.encode(), 502, "key ********"),
        (b'data: {"error": {"reason": 7}}', 502, '{"error": {"reason": 7}}'),
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


async def test_a_first_event_that_is_an_error_needs_no_blank_line(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = writing(b'data: {"error": {"message": "overloaded", "code": 429}}\n')
    assert (await failure(opened(client, upstream))).status == 429


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error": {"message": "lost"}}\n\n',
        b'event: error\ndata: {"message":"lost"}\n\n',
        b'event:error\ndata: {"message":"lost"}\n\n',
        b'data: {"object":"error","message":"lost"}\n\n',
    ],
)
@pytest.mark.parametrize("parts", [1, 2])
async def test_an_error_in_the_middle_ends_the_stream_with_it(
    upstream: Upstream, client: HttpClient, event: bytes, parts: int
) -> None:
    upstream.misbehaves = writing(CHUNK + event + DONE) if parts == 1 else writing(CHUNK, event, DONE)
    events, error = await broken(client, upstream)
    assert (events, error.message) == (1, "`acme` ended its answer with an error: lost")


@pytest.mark.parametrize("before", [(CHUNK,), (CHUNK, LAST)], ids=["unfinished", "finished"])
async def test_an_error_at_the_end_needs_no_blank_line(
    upstream: Upstream, client: HttpClient, before: tuple[bytes, ...]
) -> None:
    upstream.misbehaves = writing(*before, b'data: {"error": {"message": "lost"}}')
    events, error = await broken(client, upstream)
    assert (events, error.message) == (len(before), "`acme` ended its answer with an error: lost")


async def test_events_without_blank_lines_are_no_empty_answer(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = writing((CHUNK + LAST + DONE).replace(b"\n\n", b"\n"))
    assert len(await read(client, upstream)) == 2


async def test_text_that_speaks_of_error_events_is_text(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = writing(CHUNK.replace(b'"x"', b'"event: error"'), LAST, DONE)
    assert len(await read(client, upstream)) == 2


class _Endless:
    """An answer of one part again and again, then `last`. taken: how many bytes of it were asked for."""

    status = 200

    def __init__(self, part: bytes, *, times: int, last: bytes = b"") -> None:
        self.headers: dict[str, str] = {}
        self.taken = 0
        self._parts = (part, times, last)

    async def chunks(self) -> AsyncIterator[bytes]:
        part, times, last = self._parts
        for _ in range(times):
            self.taken += len(part)
            yield part
        yield last

    async def read(self) -> bytes:
        return b"".join([data async for data in self.chunks()])

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("part", [b"\n" * 6_000, b": still here\n\n" * 400], ids=["blank lines", "comments"])
async def test_what_comes_before_the_first_event_is_not_kept(part: bytes) -> None:
    answer = _Endless(part, times=100, last=CHUNK + LAST + DONE)
    tracemalloc.start()
    try:
        stream = await open_stream(answer, lambda: _CALL, ending=FinishReasons(1), whole=None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [len(frames.events()) async for frames in stream] == [2]
    assert peak < 20 * len(part)


async def test_a_page_without_an_end_is_read_only_so_far() -> None:
    answer = _Endless(b"<p>wait</p>" * 1_000, times=10_000)
    error = await failure(open_stream(answer, lambda: _CALL, ending=FinishReasons(1), whole=_WHOLE))
    assert "no stream (no content type): <p>wait</p>" in error.message
    assert answer.taken < 100_000


async def test_numbers_that_json_does_not_have_are_not_passed_on(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = writing(CHUNK, b'data: {"choices":[{"logprobs":{"x":NaN}}]}\n\n', LAST, DONE)
    events, error = await broken(client, upstream)
    assert (events, "not JSON" in error.message) == (1, True)


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


@pytest.mark.parametrize("call", ["reply", "value", "stream"])
async def test_a_document_without_an_end_is_given_up(
    upstream: Upstream, client: HttpClient, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        await answer.write(b'{"choices": "')
        while True:
            await answer.write(b"x" * 1000)

    monkeypatch.setattr(exchange, "_BODY_BYTES", 100_000)
    monkeypatch.setattr(streams, "_DOCUMENT_BYTES", 100_000)
    upstream.misbehaves = endless
    work = opened(client, upstream) if call == "stream" else getattr(client, call)(chat(upstream))
    async with asyncio.timeout(20):
        error = await failure(work)
    assert "answered with more than 100000 bytes" in error.message


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
