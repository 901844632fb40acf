"""Putting the asked-for name and our id into answers: as bytes, wherever a vendor writes its own, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.routing.own_members import OwnMember, with_members
from runtime.sse import DONE, EventStream, Frames, Reply


def _renamed(reply: Reply, ours: str) -> Reply:
    return with_members(reply, OwnMember("model", ours))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just('"model":"theirs"'),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "model", 'x"model', "\\"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(
    before=st.dictionaries(st.sampled_from(["choices", "id", "x_vendor"]), values, max_size=3),
    after=st.dictionaries(st.sampled_from(["usage", "created"]), values, max_size=2),
    theirs=st.text(min_size=1, max_size=8),
    ours=st.text(min_size=1, max_size=8),
    indent=st.sampled_from([None, 2]),
)
@settings(deadline=None, max_examples=200)
def test_a_reply_has_the_asked_for_name_and_is_otherwise_as_it_came(
    before: dict[str, Any], after: dict[str, Any], theirs: str, ours: str, indent: int | None
) -> None:
    came = {**before, "model": theirs, **after}
    renamed = _renamed(Reply(json.dumps(came, indent=indent).encode()), ours)
    assert json.loads(renamed.data) == {**came, "model": ours}


def test_a_name_in_the_text_of_an_answer_is_left_alone() -> None:
    content = 'the request said "model":"theirs" and {"model": "theirs"}'
    came = {"choices": [{"message": {"content": content}}], "model": "theirs"}
    answered = _renamed(Reply.of(came), "ours").value()
    assert answered["choices"][0]["message"]["content"] == content
    assert answered["model"] == "ours"


def test_an_answer_without_a_name_is_as_it_came() -> None:
    assert _renamed(Reply(b'{"data":[]}'), "ours").data == b'{"data":[]}'


class Upstream:
    """A stream that tells whether it was closed."""

    def __init__(self, *frames: bytes, members: list[OwnMember] | None = None) -> None:
        self.frames = frames
        self.members = members
        self.closed = False

    def stream(self, ours: str) -> EventStream:
        """As the router hands it on."""
        answered = with_members(EventStream(self._frames(), self._close), *(self.members or [OwnMember("model", ours)]))
        assert isinstance(answered, EventStream)
        return answered

    async def _frames(self) -> AsyncGenerator[Frames, None]:
        for data in self.frames:
            yield Frames(data)

    async def _close(self) -> None:
        assert not self.closed, "closed twice"
        self.closed = True


async def renamed(*frames: bytes, ours: str = "ours") -> list[bytes]:
    upstream = Upstream(*frames)
    found = [frame.data async for frame in upstream.stream(ours)]
    assert upstream.closed
    return found


async def test_every_event_has_the_asked_for_name() -> None:
    event = b'data: {"id":"1","model": "theirs","choices":[]}\n\n'
    assert await renamed(event, event * 2, DONE) == [
        event.replace(b'"model": "theirs"', b'"model":"ours"'),
        event.replace(b'"model": "theirs"', b'"model":"ours"') * 2,
        DONE,
    ]


async def test_a_vendor_whose_name_changes_on_the_way_is_followed() -> None:
    """Azure's first event has an empty name."""
    events = await renamed(b'data: {"model":"","a":1}\n\n', b'data: {"model":"theirs-2024"}\n\n', b'data: {"a":2}\n\n')
    assert events == [b'data: {"model":"ours","a":1}\n\n', b'data: {"model":"ours"}\n\n', b'data: {"a":2}\n\n']


@pytest.mark.parametrize(
    "spellings",
    [
        [b'"model":""', b'"model":"theirs"', b'"model":"theirs"'],
        [b'"model":"theirs"', b'"model": "theirs"', b'"model":"theirs-2024"'],
        [b'"model":null', b'"model":"theirs"', b'"model":null'],
        [b'"model":"theirs"', b'"choices":[]', b'"model":"t\\"x"'],
        [b'"model":"ours"', b'"model":"theirs"', b'"model":"ours"'],
    ],
)
@pytest.mark.parametrize("per_read", [1, 2, 3])
async def test_every_event_of_a_read_has_the_asked_for_name_however_it_is_spelled(
    spellings: list[bytes], per_read: int
) -> None:
    events = [b"data: {%b}\n\n" % spelling for spelling in spellings]
    reads = [b"".join(events[start : start + per_read]) for start in range(0, len(events), per_read)]
    answered = b"".join(await renamed(*reads))
    expected = [{"choices": []} if b"choices" in spelling else {"model": "ours"} for spelling in spellings]
    assert Frames(answered).events() == expected


async def test_text_that_quotes_the_member_is_not_touched() -> None:
    event = Frames.of({"choices": [{"delta": {"content": '"model":"theirs"'}}], "model": "theirs"})
    (answered,) = await renamed(event.data)
    assert Frames(answered).events() == [{"choices": [{"delta": {"content": '"model":"theirs"'}}], "model": "ours"}]


@pytest.mark.parametrize("ours", ['a"b', "a\\1b", "é/ü", "\\g<0>"])
async def test_a_name_with_marks_of_json_or_of_expressions_is_a_name(ours: str) -> None:
    assert json.loads(_renamed(Reply.of({"model": "theirs"}), ours).data) == {"model": ours}
    (answered,) = await renamed(b'data: {"model":"theirs"}\n\n', ours=ours)
    assert Frames(answered).events() == [{"model": ours}]


async def test_closing_early_closes_the_provider_s_stream() -> None:
    upstream = Upstream(b'data: {"model":"a"}\n\n', b'data: {"model":"a"}\n\n')
    stream = upstream.stream("ours")
    await anext(stream)
    assert not upstream.closed
    await stream.aclose()
    assert upstream.closed


async def test_closing_before_the_first_event_closes_the_provider_s_stream() -> None:
    upstream = Upstream(b'data: {"model":"a"}\n\n')
    stream = upstream.stream("ours")
    await stream.aclose()
    await stream.aclose()
    assert upstream.closed
    assert [frames async for frames in stream] == []


def with_id(reply: bytes) -> bytes:
    return with_members(Reply(reply), OwnMember("id", "ours", is_needed=True)).data


@pytest.mark.parametrize(
    ("came", "answered"),
    [
        (b'{"id":"theirs","a":{"id":"b"}}', b'{"id":"ours","a":{"id":"b"}}'),
        (b'{ "a" : {"id":"b"}, "id" : "theirs" }', b'{ "a" : {"id":"b"}, "id":"ours" }'),
        (b'{"a":{"id":"b"}}', b'{"id":"ours","a":{"id":"b"}}'),
        (b'{"id":null}', b'{"id":"ours"}'),
        (b'{"id": 7, "a":{"id":8}}', b'{"id":"ours", "a":{"id":8}}'),
        (b'{"a":{"id":8},"id":-7.5e3}', b'{"a":{"id":8},"id":"ours"}'),
        (b"{ }", b'{"id":"ours" }'),
        (b'{"a":"{\\"id\\":\\"b\\"}"}', b'{"id":"ours","a":"{\\"id\\":\\"b\\"}"}'),
    ],
)
def test_an_answer_has_our_id_whether_it_had_one_or_not(came: bytes, answered: bytes) -> None:
    assert with_id(came) == answered


calls = st.lists(st.sampled_from([None, "", "theirs", "call_1"]), max_size=2)


@given(
    events=st.lists(st.tuples(st.sampled_from(["theirs", "", None, "absent"]), calls), min_size=1, max_size=5),
    per_read=st.integers(1, 3),
    indent=st.sampled_from([None, (",", ":")]),
)
@settings(deadline=None, max_examples=200)
async def test_every_event_has_our_id_and_its_calls_have_theirs(
    events: list[tuple[str | None, list[str | None]]], per_read: int, indent: tuple[str, str] | None
) -> None:
    chunks = []
    for id, ids in events:
        calls = [{"index": place, "id": call} for place, call in enumerate(ids)]
        chunks.append(({} if id == "absent" else {"id": id}) | {"choices": [{"delta": {"tool_calls": calls}}]})
    frames = [f"data: {json.dumps(chunk, separators=indent)}\n\n".encode() for chunk in chunks]
    reads = [b"".join(frames[start : start + per_read]) for start in range(0, len(frames), per_read)]
    upstream = Upstream(*reads, b": idle\n\n", members=[OwnMember("id", "ours", is_needed=True)])
    answered = [event for frames in [one async for one in upstream.stream("")] for event in frames.events()]
    assert answered == [chunk | {"id": "ours"} for chunk in chunks]
