"""Streams that are spoilt on their way: whatever their events are, one of them is no JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from runtime.faults.broken import spoilt
from runtime.http.transport import EVENT_STREAM
from runtime.sse import payloads

FIRST = b'event: message_start\ndata: {"type": "message_start"}\n\n'
PING = b'event: ping\ndata: {"type":"ping"}\n\n'
DONE = b"data: [DONE]\n\n"


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


def is_json(payload: bytes) -> bool:
    try:
        json.loads(payload)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "stream",
    [
        [FIRST, PING, FIRST],
        [FIRST + PING[:20], PING[20:], DONE],
        [b": kept alive\n\n", FIRST, b": kept alive\n\n", b"data: {}\n\n", DONE],
        [FIRST, b"data: 1\n\n"],
        [FIRST],
        [],
    ],
    ids=["a short event with a name", "cut anywhere", "comments", "a single digit", "one event", "nothing"],
)
async def test_one_event_of_a_stream_is_no_json(stream: list[bytes]) -> None:
    came = b"".join([piece async for piece in spoilt(EVENT_STREAM)(pieces(*stream))])
    found = [payload for payload in payloads(came) if payload not in (b"", b"[DONE]")]  # an empty one says nothing
    assert [*map(is_json, found)].count(False) == 1
    assert is_json(found[0]) or not stream


async def test_a_stream_that_is_binary_is_spoilt_also_in_one_piece() -> None:
    binary = bytes(range(100))
    assert [piece async for piece in spoilt("application/vnd.amazon.eventstream")(pieces(binary))] == [binary[:50]]
