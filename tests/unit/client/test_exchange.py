"""A request that an application of this process answers, with an application that does what a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import httpx2
import pytest

from runtime.client.exchange import Asked, End, Exchange, Message, Start

LIMIT_S = 20.0
START = {"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]}


def body(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


class Collected:
    """What an exchange has put so far."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._more = asyncio.Event()

    def put(self, message: Message) -> None:
        self.messages.append(message)
        self._more.set()

    async def until(self, is_enough: Callable[[list[Message]], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not is_enough(self.messages):
                self._more.clear()
                await self._more.wait()

    async def end(self) -> End:
        await self.until(lambda messages: any(isinstance(one, End) for one in messages))
        last = self.messages[-1]
        assert isinstance(last, End)
        return last


def ask(app: Callable[..., Awaitable[None]], content: bytes | AsyncIterator[bytes] = b"") -> tuple[Exchange, Collected]:
    found = Collected()
    asked = Asked(method="POST", target=b"/a%20b?c=d", headers=[(b"Host", b"localhost")], body=content)
    return Exchange(app, asked, found.put, lambda _: None), found


async def test_an_application_is_asked_as_a_server_would_ask_it() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope, message=await receive())
        await send(START)
        await send(body(b"whole", more=False))

    _, found = ask(app, b"asked")
    assert (await found.end()).is_whole
    assert found.messages == [Start(200, [(b"x", b"y")]), b"whole", End()]
    assert (seen["method"], seen["path"], seen["raw_path"], seen["query_string"]) == ("POST", "/a b", b"/a%20b", b"c=d")
    assert seen["headers"] == [(b"host", b"localhost")]
    assert seen["message"] == {"type": "http.request", "body": b"asked", "more_body": False}


async def test_a_status_without_a_body_yet_is_told_at_once() -> None:
    go_on = asyncio.Event()

    async def app(_: Any, receive: Any, send: Any) -> None:
        await send(START)
        await go_on.wait()
        await send(body(b"", more=False))

    _, found = ask(app)
    await found.until(lambda messages: messages == [Start(200, [(b"x", b"y")])])
    go_on.set()
    assert (await found.end()).is_whole


async def test_a_failure_before_and_after_the_first_byte_is_told() -> None:
    for begins in (False, True):

        async def app(_: Any, receive: Any, send: Any, begins: bool = begins) -> None:
            if begins:
                await send(START)
                await send(body(b"part"))
            raise LookupError("of the application")

        end = await ask(app)[1].end()
        assert not end.is_whole and isinstance(end.failure, LookupError), begins


async def test_an_application_that_returns_without_an_answer_is_told() -> None:
    async def app(_: Any, receive: Any, send: Any) -> None:
        return

    assert await ask(app)[1].end() == End(is_whole=False)


async def test_whoever_leaves_is_gone_for_the_application_before_it_is_awaited() -> None:
    seen = []

    async def app(_: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(START)
        seen.append((await receive())["type"])
        await send(body(b"to nobody"))
        seen.append("ended")

    exchange, found = ask(app)
    await found.until(bool)
    async with asyncio.timeout(LIMIT_S):
        await exchange.leave()
    assert seen == ["http.disconnect", "ended"]
    assert b"to nobody" not in found.messages


async def test_a_body_comes_in_its_parts_and_its_failure_is_told() -> None:
    seen = []

    async def parts() -> AsyncIterator[bytes]:
        yield b"one"
        raise OSError("of the caller's file")

    async def app(_: Any, receive: Any, send: Any) -> None:
        seen.append(await receive())
        seen.append(await receive())

    end = await ask(app, parts())[1].end()
    assert end.of_body and isinstance(end.failure, OSError)
    assert [message["type"] for message in seen] == ["http.request", "http.disconnect"]


async def test_whoever_leaves_in_the_middle_of_its_body_is_gone_at_once() -> None:
    seen = []

    async def parts() -> AsyncIterator[bytes]:
        yield b"one"
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("body ended")

    async def app(_: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] != "http.disconnect":
            seen.append(message["body"])
            has_begun.set()
        seen.append("disconnect")

    has_begun = asyncio.Event()
    exchange, _ = ask(app, parts())
    async with asyncio.timeout(LIMIT_S):
        await has_begun.wait()
        exchange.signal_left()
        await exchange.task
    assert seen == [b"one", "body ended", "disconnect"]


@pytest.mark.parametrize("has_begun", [False, True])
async def test_an_application_that_waits_for_its_request_is_cancelled_before_it_begins(has_begun: bool) -> None:
    """What has begun reads the rest of its request in a task beside, and is ended by those who know what it does."""
    waiting, seen = asyncio.Event(), []

    async def parts() -> AsyncIterator[bytes]:
        yield b"one"
        waiting.set()
        await asyncio.Event().wait()

    async def app(_: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            await (asyncio.create_task(receive()) if has_begun else receive())
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    exchange, found = ask(app, parts())
    async with asyncio.timeout(LIMIT_S):
        await waiting.wait()
        exchange.end_unsent()
        if has_begun:
            await asyncio.sleep(0)
            assert not exchange.task.cancelling() and not seen
            exchange.signal_left()
            await exchange.task
        else:
            with pytest.raises(asyncio.CancelledError):
                await exchange.task
            assert seen == ["cancelled"] and not (await found.end()).is_whole


async def test_an_application_waits_for_a_reader_that_is_far_behind() -> None:
    sent = []

    async def app(_: Any, receive: Any, send: Any) -> None:
        await send(START)
        for number in range(8):
            sent.append(number)
            await send(body(b"x" * 100_000))
        await send(body(b"", more=False))

    exchange, found = ask(app)
    await found.until(lambda messages: len(messages) == 4)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(sent) == 3, "it went on although nothing was read"
    exchange.took(300_000)
    await found.until(lambda messages: len(messages) == 7)
    exchange.lift_limit()
    assert (await found.end()).is_whole and len(sent) == 8


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_each_library_gets_its_own_error_for_an_application_that_breaks_off(library: Any) -> None:
    from runtime.client.transports import async_transport

    async def app(_: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"part"))
        raise LookupError("of the application")

    class Breaking:
        """In place of a stack."""

        async def begin(self, asked: Asked) -> Any:
            from runtime.client.reading import LoopReading

            reading = LoopReading()
            reading.exchange = Exchange(app, asked, reading.put, lambda _: None)
            return reading

    stack: Any = Breaking()
    async with library.AsyncClient(transport=async_transport(library, stack)) as client:
        with pytest.raises(library.RemoteProtocolError, match="LookupError"):
            await client.get("http://localhost/")
