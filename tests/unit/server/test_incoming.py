"""One reader of what comes in: the body, whole or as it arrives, and the news that the client has left."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from runtime.apis._api import Route
from runtime.errors import TooLarge, Unavailable
from runtime.server.answer import Answer
from runtime.server.incoming import ClientLeft, Incoming
from runtime.server.ongoing import Ongoing
from runtime.sse import Reply


class Wire:
    """What a server would hand out, and how much of it was asked for."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = list(messages)
        self.asked = 0

    async def receive(self) -> Any:
        self.asked += 1
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


def incoming(wire: Wire, *, limit: int = 100, length: int | None = None) -> Incoming:
    headers = {} if length is None else {b"content-length": str(length).encode()}
    return Incoming(headers, wire.receive, limit=limit)


async def test_a_body_in_parts_is_put_together() -> None:
    assert await incoming(Wire(part(b"a", more=True), part(b"", more=True), part(b"b"))).body() == b"ab"


async def test_an_upload_is_pulled_part_by_part_while_somebody_watches_for_the_client_to_leave() -> None:
    wire = Wire(part(b"one", more=True), part(b"two", more=True), part(b"three"), GONE)
    upload = incoming(wire)
    left = asyncio.Event()
    end_watch = upload.when_left(left.set)
    for _ in range(20):
        await asyncio.sleep(0)
    assert wire.asked <= 2  # one waits to be read, and one waits for its place
    parts = upload.chunks()
    assert await anext(parts) == b"one"
    assert [part async for part in parts] == [b"two", b"three"]
    await asyncio.wait_for(left.wait(), 1)
    end_watch()


async def test_a_client_that_leaves_before_its_body_is_complete_is_told_apart() -> None:
    with pytest.raises(ClientLeft):
        await incoming(Wire(part(b"one", more=True), GONE)).body()


async def test_what_is_announced_too_large_is_not_read_at_all() -> None:
    wire = Wire(part(b"x" * 101))
    with pytest.raises(TooLarge, match="100 bytes"):
        await incoming(wire, length=101).body()
    assert wire.asked == 0


async def test_what_turns_out_too_large_is_not_read_on() -> None:
    wire = Wire(part(b"x" * 60, more=True), part(b"x" * 60, more=True), part(b"x"))
    with pytest.raises(TooLarge):
        await incoming(wire).body()
    assert wire.asked == 2


async def test_files_of_a_request_are_closed_when_its_method_fails() -> None:
    async def send(message: Any) -> None:
        raise AssertionError("nothing is sent")

    async def fail() -> Reply:
        raise Unavailable("no")

    wire = Wire({"type": "http.request", "body": b"", "more_body": False})
    incoming = Incoming({}, wire.receive, limit=0)
    file = incoming.keep(io.BytesIO())
    await incoming.body()
    answer = Answer(fail, route=Route(method="POST", path="/x"), incoming=incoming, ongoing=Ongoing())
    with pytest.raises(Unavailable):
        await answer.serve(send)
    assert file.closed
