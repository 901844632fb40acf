"""A stage of a stream changes and holds back what comes, and learns how the stream ended before its reader does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import Served, adapter_of
from runtime.sse import End, EventStream, Frames
from tests.support.examples import ledger
from tests.support.examples.ledger import CountRequest, Ledger
from tests.support.stacks import serving_example


@pytest_asyncio.fixture
async def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Served]:
    async with serving_example(monkeypatch, ledger, tmp_path) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Client:
    return served.client


@pytest.fixture
def keeper(served: Served) -> Ledger:
    found: Ledger = adapter_of(served.stack, "ledgers")
    return found


async def test_the_end_waits_until_the_write_is_durable(client: Client, keeper: Ledger) -> None:
    keeper.may_write.clear()
    call = client.call("POST", "/v1/count", body=b'{"to": 3}')
    await call.start()
    for number in range(3):
        assert await call.chunk() == b'data: {"number":%d}\n\n' % number
    async with asyncio.timeout(10):
        await keeper.asked.wait()
    ending = asyncio.create_task(call.chunk())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not ending.done() and keeper.lines() == []
    keeper.may_write.set()
    assert await ending == b"data: [DONE]\n\n"
    assert keeper.lines() == ["complete 3 -"]


@pytest.mark.parametrize("fails", [False, True])
async def test_what_a_stage_still_has_to_say_comes_before_the_end_of_a_complete_stream(
    client: Client, keeper: Ledger, fails: bool
) -> None:
    keeper.says = b"not kept"
    answer = await client.post("/v1/count", {"to": 1, "fails": fails})
    number = b'data: {"number":0}\n\n'
    assert answer.body.startswith(number)
    assert (answer.body == number + b": not kept\n\ndata: [DONE]\n\n") is not fails
    assert (b"not kept" in answer.body) is not fails


async def test_a_write_that_fails_is_the_stream_s_failure(client: Client, keeper: Ledger) -> None:
    keeper.is_full = True
    answer = await client.post("/v1/count", {"to": 1})
    assert b"[DONE]" not in answer.body and b'"error"' in answer.body


async def test_a_stream_that_fails_is_noted_as_such(client: Client, keeper: Ledger) -> None:
    answer = await client.post("/v1/count", {"to": 1, "fails": True})
    assert b"[DONE]" not in answer.body and b'"error"' in answer.body
    assert keeper.lines() == ["failed 1 RuntimeError"]


async def test_a_client_that_leaves_is_noted_before_the_call_is_over(client: Client, keeper: Ledger) -> None:
    keeper.may_go_on.clear()
    call = client.call("POST", "/v1/count", body=b'{"to": 3}')
    async with asyncio.timeout(10):
        await keeper.waits.wait()
    await call.leave()
    assert keeper.lines() == ["left 0 -"]


async def test_a_client_that_leaves_ends_no_write(client: Client, keeper: Ledger) -> None:
    keeper.may_write.clear()
    call = client.call("POST", "/v1/count", body=b'{"to": 1}')
    await call.start()
    async with asyncio.timeout(10):
        await keeper.asked.wait()
    leaving = asyncio.create_task(call.leave())
    for _ in range(20):
        await asyncio.sleep(0)
    keeper.may_write.set()
    await leaving
    assert keeper.lines() == ["complete 1 -"]


async def test_a_stream_that_nobody_reads_has_been_left(keeper: Ledger) -> None:
    stream = await keeper.count(CountRequest(to=3))
    await stream.aclose()
    await stream.aclose()
    assert keeper.lines() == ["left 0 -"]


@pytest.mark.parametrize("times", [1, 2])
async def test_whoever_is_cancelled_while_the_end_is_written_waits_for_it(keeper: Ledger, times: int) -> None:
    keeper.may_write.clear()
    stream = await keeper.count(CountRequest(to=0))
    reading = asyncio.create_task(anext(stream))  # type: ignore[arg-type]  # it is a coroutine
    async with asyncio.timeout(10):
        await keeper.asked.wait()
    for _ in range(times):
        reading.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
    assert not reading.done()
    keeper.may_write.set()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert keeper.lines() == ["complete 0 -"]


async def test_what_cannot_be_noted_does_not_hide_why_a_stream_ended(
    keeper: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    keeper.is_full = True
    with pytest.raises(RuntimeError, match="lost count"):
        await anext(await keeper.count(CountRequest(to=0, fails=True)))
    keeper.may_go_on.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(await keeper.count(CountRequest(to=1)))
    assert [record.__dict__["end"] for record in caplog.records] == ["failed", "left"]
    assert all(record.exc_info and isinstance(record.exc_info[1], OSError) for record in caplog.records)


class Words:
    """A stream of words. events: what happened to it. fails: what it raises after them."""

    def __init__(self, *words: str, fails: BaseException | None = None) -> None:
        self.events: list[object] = []
        self._words = words
        self._fails = fails

    def stream(self) -> EventStream:
        return EventStream(self._come(), self._close)

    async def _come(self) -> AsyncGenerator[Frames, None]:
        try:
            for word in self._words:
                yield Frames.of({"says": word})
            if self._fails is not None:
                raise self._fails
        finally:
            self.events.append("closed")

    async def _close(self) -> None:
        self.events.append("released")


class Guard:
    """Passes on what was found to be harmless: reads two words at once, takes out a name, and ends the stream, or
    fails, at a bad word. events: where it tells how the stream ended.
    """

    def __init__(self, events: list[object], *, cuts: bool = True) -> None:
        self._events = events
        self._cuts = cuts
        self._held: list[str] = []
        self._is_cut = False

    async def read(self, frames: Frames) -> Frames | None:
        await asyncio.sleep(0)  # it asks somebody
        self._held += [event["says"] for event in frames.events()]
        if "bad" in self._held:
            if not self._cuts:
                raise ValueError("a bad word")
            self._is_cut = True
            raise StopAsyncIteration
        return self._passed() if len(self._held) == 2 else None

    async def ended(self, how: End, error: BaseException | None) -> Frames | None:
        self._events.append((how, None if error is None else str(error)))
        return Frames.of({"says": "no"}) if self._is_cut else self._passed()

    def _passed(self) -> Frames:
        held, self._held = self._held, []
        return Frames.of({"says": " ".join("..." if word == "Anna" else word for word in held)})


async def said(stream: EventStream) -> list[str]:
    return [event["says"] async for frames in stream for event in frames.events()]


async def test_a_stage_holds_back_and_replaces_what_comes() -> None:
    words = Words("one", "two", "Anna", "three", "four")
    assert await said(words.stream().through(Guard(words.events))) == ["one two", "... three", "four"]
    assert words.events == ["closed", "released", ("complete", None)]


async def test_a_stage_ends_a_stream_and_what_is_below_it() -> None:
    words = Words("one", "two", "three", "bad", "worse")
    assert await said(words.stream().through(Guard(words.events))) == ["one two", "no"]
    assert words.events == ["closed", "released", ("complete", None)]


async def test_what_was_held_back_of_a_stream_that_fails_is_not_sent() -> None:
    words = Words("one", "two", "three", fails=RuntimeError("broke off"))
    stream = words.stream().through(Guard(words.events))
    assert (await anext(stream)).events() == [{"says": "one two"}]
    with pytest.raises(RuntimeError, match="broke off"):
        await anext(stream)
    assert words.events == ["closed", "released", ("failed", "broke off")]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_stage_that_cannot_read_ends_the_stream_and_what_is_below_it() -> None:
    words = Words("bad")
    with pytest.raises(ValueError, match="a bad word"):
        await anext(words.stream().through(Guard(words.events, cuts=False)))
    assert words.events == [("failed", "a bad word"), "closed", "released"]


async def test_a_reader_that_leaves_while_a_stage_reads_is_noted_as_such() -> None:
    words = Words("one")
    reading = asyncio.create_task(anext(words.stream().through(Guard(words.events))))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert words.events == ["closed", "released", ("left", None)]


async def test_each_stage_sees_what_the_one_below_it_passes_on() -> None:
    words = Words("Anna", "two", "three", "four")
    lower, upper = Guard(words.events), Guard(words.events)
    assert await said(words.stream().through(lower).through(upper)) == ["... two three four", ""]
    assert words.events == ["closed", "released", ("complete", None), ("complete", None)]
