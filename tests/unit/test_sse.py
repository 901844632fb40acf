"""Frames: however a byte stream is cut, the events are the same and not a byte is lost."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.http.events import Splitter, failure_in, until_done
from runtime.sse import DONE, EventStream, Frames, Reply, decode, encode, is_json_object, members, payloads

# A stream as lines, so that a slow reading of the format is possible beside ours.
_texts = st.text(alphabet='ab :é😀\\"{}', max_size=8)
_lines = st.one_of(
    _texts.map(lambda text: f"data: {text}"),
    _texts.map(lambda text: f"data:{text}"),
    _texts.map(lambda text: f": {text}"),
    _texts.map(lambda text: f"event: {text}"),
    st.just("id: 7"),
    st.just("retry: 10"),
)
_events = st.lists(st.lists(_lines, min_size=1, max_size=4), max_size=6)


def obvious_payloads(events: list[list[str]]) -> list[str]:
    """The data of each event, read from the lines it was made of; after WHATWG HTML, 9.2.6."""
    found = []
    for lines in events:
        data = [line.removeprefix("data:").removeprefix(" ") for line in lines if line.startswith("data:")]
        if data:
            found.append("\n".join(data))
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


def fed(pieces: list[bytes]) -> list[Frames]:
    splitter = Splitter()
    frames = [made for piece in pieces if (made := splitter.feed(piece)) is not None]
    last = splitter.rest()
    return [*frames, Frames(last)] if last else frames


@given(
    events=_events,
    endings=st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=1, max_size=5),
    places=st.lists(st.integers(0, 400), max_size=12),
    is_whole=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_any_cut_gives_the_same_events(
    events: list[list[str]], endings: list[str], places: list[int], is_whole: bool
) -> None:
    lines = [line for event in events for line in (*event, "")]
    ended = [endings[place % len(endings)] for place in range(len(lines))]
    for place in range(1, len(lines)):
        if not lines[place] and (ended[place - 1], ended[place]) == ("\r", "\n"):
            ended[place] = "\r"  # after a CR, the LF of a blank line would be of the line before it
    data = "".join(line + end for line, end in zip(lines, ended, strict=True)).encode()
    if not is_whole:
        data = data.rstrip(b"\r\n")  # the stream ends without its last blank line
    frames = fed(cut(data, places))
    assert [payload.decode() for frame in frames for payload in payloads(frame.data)] == obvious_payloads(events)
    # Not a byte is changed on the way, but for line ends and the blank line that a cut-off stream is given.
    plain = "\n".join(lines).encode()
    assert b"".join(frame.data for frame in frames).rstrip(b"\n") == plain.rstrip(b"\n")
    assert all(frame.data.endswith(b"\n\n") for frame in frames)


@pytest.mark.parametrize("blank", [b"\n\n", b"\r\n\r\n", b"\n\r\n", b"\r\n\n", b"\r\r"])
def test_an_event_is_handed_on_with_its_blank_line_and_not_later(blank: bytes) -> None:
    splitter = Splitter()
    assert splitter.feed(b'data: {"a":1}') is None
    frames = splitter.feed(blank + b"data: {")
    assert frames is not None
    assert frames.events() == [{"a": 1}]
    assert splitter.feed(b"}\n\n") is not None


def test_a_blank_line_alone_is_handed_on() -> None:
    frames = Splitter().feed(b"\n\n")
    assert frames is not None and frames.events() == []


def test_several_events_of_one_read_are_one_frames() -> None:
    frames = Splitter().feed(b'data: {"a":1}\n\n: keep-alive\n\ndata: {"a":2}\n\ndata: [DONE]\n\n')
    assert frames is not None
    assert frames.events() == [{"a": 1}, {"a": 2}]


def test_a_comment_or_an_empty_keep_alive_is_no_event() -> None:
    assert Frames(b": ping\n\ndata:\n\nevent: ping\n\ndata: \n\n").events() == []


def test_several_data_lines_are_one_document() -> None:
    assert Frames(b'event: x\ndata: {"a":\ndata: [1,\ndata:2]}\nid: 3\n\n').events() == [{"a": [1, 2]}]


def test_nothing_is_left_of_a_stream_that_ended_well() -> None:
    splitter = Splitter()
    splitter.feed(DONE)
    assert splitter.rest() == b""


def test_what_is_no_json_is_not_passed_over() -> None:
    with pytest.raises(msgspec.DecodeError):
        Frames(b"data: <html>\n\n").events()
    with pytest.raises(msgspec.DecodeError, match="nested too deeply"):
        Frames(b"data: " + b"[" * 100_000 + b"]" * 100_000 + b"\n\n").events()


@given(events=st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), max_size=4))
@settings(deadline=None)
def test_frames_of_events_hold_them(events: list[dict[str, Any]]) -> None:
    frames = Frames.of(*events)
    assert frames.events() == events
    assert frames.data.count(b"\n\n") == len(events)  # no text can end an event early


def test_a_reply_has_two_faces() -> None:
    reply = Reply.of({"a": "é"})
    assert reply.data == '{"a":"é"}'.encode()
    assert reply.value() == {"a": "é"}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"[1]", TypeError),
        (b"null", TypeError),
        (b"{", msgspec.DecodeError),
        (b"", msgspec.DecodeError),
        (b"[" * 100_000, msgspec.DecodeError),
    ],
)
def test_decode_takes_objects_alone(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        decode(data)


class Source:
    """Frames that may fail, and how often they were closed."""

    def __init__(self, *frames: Frames | Exception) -> None:
        self.frames = frames
        self.closed = 0

    async def _come(self) -> AsyncGenerator[Frames, None]:
        for frames in self.frames:
            if isinstance(frames, Exception):
                raise frames
            yield frames

    async def _close(self) -> None:
        self.closed += 1

    def stream(self) -> EventStream:
        return EventStream(self._come(), self._close)


@pytest.mark.parametrize("mapped", [False, True])
async def test_a_stream_is_closed_once_however_it_ends(mapped: bool) -> None:
    async def read(source: Source, items: int) -> None:
        stream = source.stream().map(lambda frames: frames) if mapped else source.stream()
        for _ in range(items):
            await anext(stream)
        await stream.aclose()
        await stream.aclose()

    for items in (0, 1, 2):
        source = Source(Frames(b"1"), Frames(b"2"))
        await read(source, items)
        assert source.closed == 1
    failing = Source(Frames(b"1"), ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        await read(failing, 2)
    assert failing.closed == 1


async def test_a_stream_that_is_read_to_its_end_needs_no_closing() -> None:
    source = Source(Frames(b"1"), Frames(b"2"))
    assert [frames.data async for frames in source.stream()] == [b"1", b"2"]
    assert source.closed == 1


@pytest.mark.parametrize("blank", [b"\r\r", b"\r\n\r\n"])
def test_a_line_end_that_is_cut_in_two_is_one(blank: bytes) -> None:
    splitter = Splitter()
    first = splitter.feed(b"data: {}" + blank[:-1])
    rest = splitter.feed(blank[-1:] + b"data: [1]\n\n")
    made = b"".join(frames.data for frames in (first, rest) if frames is not None)
    assert made == b"data: {}\n\ndata: [1]\n\n"


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    frames = Splitter().feed(b"\xef\xbb\xbfdata: {}\n\n")
    assert frames is not None and frames.events() == [{}]


def test_an_event_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.http.events.EVENT_BYTES", 100)
    monkeypatch.setattr("runtime.http.events._LONG_BYTES", 50)
    splitter = Splitter()
    with pytest.raises(ValueError, match="more than 100 bytes"):
        for _ in range(20):
            splitter.feed(b"data: 0123456789")


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
@pytest.mark.parametrize("is_ended", [True, False])
def test_a_long_event_costs_no_more_than_its_bytes(end: bytes, is_ended: bool) -> None:
    """An image, say. Copied for each read, these 16 MB would take 20 seconds."""
    splitter, part, began = Splitter(), b"x" * 4096, time.process_time()
    first = splitter.feed(b"data: {}" + end + b"data: ")
    for _ in range(4096):
        assert splitter.feed(part) is None
    ends = [splitter.feed(bytes([byte])) for byte in (end if is_ended else b"")]
    last = next(filter(None, ends), None)
    data = last.data if last is not None else splitter.rest()
    assert first is not None and first.data == b"data: {}\n\n"
    assert data == b"data: " + part * 4096 + b"\n\n"
    assert splitter.rest() == b""
    assert time.process_time() - began < 5


@pytest.mark.parametrize("done", [b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data: [DONE] \n\n: bye\n\n"])
def test_a_done_is_known_however_it_is_spelled(done: bytes) -> None:
    assert until_done(b"data: {}\n\n" + done) == (b"data: {}\n\n", True)
    assert until_done(done) == (b"", True)
    assert until_done(b"data: {}\n\nevent: end\n" + done + b"data: {}\n\n") == (b"data: {}\n\n", True)


def test_an_event_right_before_a_done_is_not_lost() -> None:
    whole = b'data: {"a":1}\n\ndata: {"b":2}\n\n'
    assert until_done(b'data: {"a":1}\n\ndata: {"b":2}\ndata: [DONE]\n\n') == (whole, True)
    assert until_done(b'data: {"a":1}\ndata: {"b":2}\ndata: [DONE]\n\n') == (whole, True)


@pytest.mark.parametrize("data", [b'data: {"content":"[DONE]"}\n\n', b"", b"data: [DONE] not yet\n\n"])
def test_what_only_quotes_done_is_none(data: bytes) -> None:
    assert until_done(data) == (data, False)


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error": {"message": "no"}}',
        b'data: {"error":"no"}',
        b'event: error\ndata: {"message": "no"}',
        b'data: {"logprob": NaN}',
        b'data: {"logprob": -Infinity}',
        b'data: {"error": ',
        b'event:error\ndata: {"message": "no"}',
        b'event: error\ndata: ["no"]',
        b'data: {"object":"error","message":"too long","code":400}',
        b'data: {"type":"error","message":"overloaded"}',
        b'data: {"text":"\xff"}',
    ],
)
def test_an_event_that_tells_a_failure_is_found_among_others(event: bytes) -> None:
    good = b'data: {"a":1}\n\n'
    found = failure_in(good + good + event + b"\n\n" + good)
    assert found is not None
    assert (found.before, found.payload) == (good + good, event.rsplit(b"data:", 1)[1].removeprefix(b" "))


@pytest.mark.parametrize("event", [b"data: upstream timeout", b"data:<html></html>", b'data: {"choices":[{"delta"'])
def test_what_is_no_json_is_a_failure_alone_and_as_the_last(event: bytes) -> None:
    for before in (b"", b'data: {"a":1}\n\n'):
        found = failure_in(before + event + b"\n\n")
        assert found is not None
        assert (found.before, found.payload) == (before, event[5:].removeprefix(b" "))


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error":null,"choices":[]}',
        b'data: {"text":"the word \\"error\\" and NaN, Infinity"}',
        b': "error"',
        b'data: {"usage":{"error":1}}',
        b"data:",
        b'data: {"text":"event: error"}',
        b'event: message\nid: 1\ndata:{"text":"\xc3\xa9"}',
        b": keep-alive\nretry: 3",
        b'data: {"a":\ndata: 1}',
    ],
)
def test_what_only_speaks_of_failure_is_none(event: bytes) -> None:
    assert failure_in(event + b"\n\n") is None


@pytest.mark.parametrize("data", [b"{}", b' {"a": [1.5e3, "\\u00e9", null]}\n', '{"a": "é"}'.encode()])
def test_a_json_object_is_one(data: bytes) -> None:
    assert is_json_object(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"7",
        b"<html>",
        b'{"a": NaN}',
        b'{"a": ',
        b"{} {}",
        b'{"a": "\xff"}',
        b"{" * 100_000,
        b"\x1f\x8b\x08",
    ],
)
def test_what_is_no_json_object_is_none(data: bytes) -> None:
    assert not is_json_object(data)


def test_members_that_nobody_looks_at_are_sent_on_as_they_are() -> None:
    body = b'{"model": "m", "messages": [ {"content": "\\u00e9"} ], "n": 1, "n": 2, "x": {"messages": [1]}}'
    found = members(body, ("messages",))
    assert {name: value for name, value in found.items() if name != "messages"} == {
        "model": "m", "n": 2, "x": {"messages": [1]},
    }  # fmt: skip
    assert encode(found | {"model": "other"}) == (
        b'{"model":"other","messages":[ {"content": "\\u00e9"} ],"n":2,"x":{"messages":[1]}}'
    )


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b"{", b'{"messages": [}', b'{"messages": NaN}', b'{"messages": [NaN]}', b'{"x": NaN}',
             b'{"messages": ' + b"[" * 100_000, b'{"x": ' + b"[" * 100_000, b'{"messages": [1]} {}'],
    ids=lambda body: body[:20],
)  # fmt: skip
def test_members_of_what_is_no_json_object_are_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        members(body, ("messages",))


@pytest.mark.timeout(30)
def test_a_long_line_with_very_many_done_is_read_once() -> None:
    """From each of them to both ends of its line took minutes."""
    data = b'data: {"x": "' + b"[DONE] " * 1_000_000 + b'"}\n\n'
    assert until_done(data) == (data, False)
    assert until_done(data + b"data: [DONE]\n\nmore") == (data, True)
