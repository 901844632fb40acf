"""Items of every type as messages of a chat: which there are, in which order, and what cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.errors import RequestError
from runtime.providers.responses.builtin.messages import COMPACTED, check_answered, messages_of
from runtime.sse import Json

SEALED = {"sealed": "what was thought"}
USER: Json = {"type": "message", "role": "user", "content": "Hi"}
CALL: Json = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT: Json = {"type": "function_call_output", "call_id": "c1", "output": "rain"}


def read(*items: Json) -> list[Json]:
    return messages_of(items, opened=SEALED.get)


def says(text: Any, **facts: Any) -> Json:
    return {"type": "message", "role": "assistant", "content": text, **facts}


def thinks(text: str) -> Json:
    return {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": text}]}


def assistant(content: str | None = None, **facts: Any) -> Json:
    return {"role": "assistant", "content": content, **facts}


def call_of(id: str = "c1", arguments: str = "{}") -> Json:
    return {"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}}


TOOL = {"role": "tool", "tool_call_id": "c1", "content": "rain"}
HI = {"role": "user", "content": "Hi"}
IMAGE = {"type": "image_url", "image_url": {"url": "u"}}
COMPACTION: Json = {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed"}
SUMMARY = {"role": "system", "content": f"{COMPACTED}what was thought"}
OF_KIND: dict[str, tuple[list[Json], list[Json]]] = {
    "message": ([USER], [HI]),
    "reasoning": ([thinks("hm"), says("Yes")], [assistant("Yes", reasoning_content="hm")]),
    "function_call": ([CALL], [assistant(tool_calls=[call_of()])]),
    "function_call_output": ([CALL, OUTPUT], [assistant(tool_calls=[call_of()]), TOOL]),
    "file_search_call": ([USER, {"type": "file_search_call", "queries": ["x"], "results": None}], [HI]),
    "compaction": ([says("gone"), COMPACTION], [SUMMARY]),
}


@pytest.mark.parametrize("kind", OF_KIND)
def test_an_item_of_each_kind_is_read(kind: str) -> None:
    items, messages = OF_KIND[kind]
    assert read(*items) == messages


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"role": "user", "content": "Hi"}, HI),
        ({**USER, "role": "developer"}, {"role": "developer", "content": "Hi"}),
        ({**USER, "role": "system", "id": "m", "status": "incomplete"}, {"role": "system", "content": "Hi"}),
        ({**USER, "content": [{"type": "input_text", "text": "H"}, {"type": "input_text", "text": "i"}]}, HI),
        ({**USER, "content": []}, {"role": "user", "content": ""}),
        (
            {**USER, "content": [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "u"}]},
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}],
            },
        ),
        (
            {**USER, "content": [{"type": "input_image", "image_url": "u", "detail": "low", "file_id": None}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}]},
        ),
        (says([{"type": "output_text", "text": "A"}, {"type": "output_text", "text": "B"}]), assistant("AB")),
        (says([{"type": "refusal", "refusal": "No"}]), assistant(refusal="No")),
        (says(""), assistant("")),
    ],
)
def test_what_is_said(item: Json, message: Json) -> None:
    assert read(item) == [message]


def test_the_output_of_a_function_may_be_parts() -> None:
    image = {"type": "input_image", "image_url": "u"}
    [_, tool] = read(CALL, {**OUTPUT, "output": [image]})
    assert tool["content"] == [IMAGE]


@pytest.mark.parametrize(
    ("items", "messages"),
    [
        pytest.param(
            [thinks("a"), says("A"), CALL, OUTPUT, thinks("b"), says("B")],
            [
                assistant("A", reasoning_content="a", tool_calls=[call_of()]), TOOL,
                assistant("B", reasoning_content="b"),
            ],
            id="a turn is one message, and its outputs follow",
        ),
        pytest.param(
            [CALL, {**CALL, "call_id": "c2"}, OUTPUT, {**OUTPUT, "call_id": "c2"}],
            [assistant(tool_calls=[call_of(), call_of("c2")]), TOOL, {**TOOL, "tool_call_id": "c2"}],
            id="calls at once",
        ),
        pytest.param(
            [CALL, OUTPUT, {**CALL, "call_id": "c2"}, {**OUTPUT, "call_id": "c2"}],
            [
                assistant(tool_calls=[call_of()]), TOOL,
                assistant(tool_calls=[call_of("c2")]), {**TOOL, "tool_call_id": "c2"},
            ],
            id="calls one after the other",
        ),
        pytest.param(
            [CALL, USER, OUTPUT],
            [assistant(tool_calls=[call_of()]), TOOL, HI],
            id="an output stands behind its call",
        ),
        pytest.param([says("A"), says("B")], [assistant("A"), assistant("B")], id="two messages stay two"),
        pytest.param(
            [thinks("a"), thinks("b"), says("A")], [assistant("A", reasoning_content="ab")], id="thoughts are added up"
        ),
        pytest.param([USER, thinks("broken off"), USER], [HI, HI], id="thoughts after which nothing was said"),
        pytest.param([USER, {**CALL, "arguments": '{"a'}, USER], [HI, HI], id="a call that was broken off"),
        pytest.param(
            [{**CALL, "arguments": "no JSON"}, OUTPUT],
            [assistant(tool_calls=[call_of(arguments='{"unreadable":"no JSON"}')]), TOOL],
            id="wrong arguments that were answered",
        ),
        pytest.param(
            [{"type": "reasoning", "summary": [], "encrypted_content": "sealed"}, says("A")],
            [assistant("A", reasoning_content="what was thought")],
            id="thoughts that are sealed",
        ),
        pytest.param(
            [{"type": "reasoning", "summary": [], "encrypted_content": "another server's"}, says("A")],
            [assistant("A")],
            id="thoughts that nobody here can read",
        ),
        pytest.param(
            [{**USER, "role": "developer"}, USER, says("gone"), CALL, OUTPUT, COMPACTION, USER],
            [{"role": "developer", "content": "Hi"}, SUMMARY, HI, HI],
            id="a summary is behind what systems say, before what users say",
        ),
        pytest.param([USER, COMPACTION, COMPACTION, says("A")], [SUMMARY, HI, assistant("A")], id="the last summary"),
    ],
)  # fmt: skip
def test_the_order_of_messages(items: list[Json], messages: list[Json]) -> None:
    assert read(*items) == messages


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([OUTPUT], "the call `c1`, which does not go before it"),
        ([OUTPUT, CALL], "the call `c1`"),
        ([CALL, COMPACTION, OUTPUT], "the call `c1`"),
        ([{**COMPACTION, "encrypted_content": "another server's"}], "`cmp_1` cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(items: list[Json], words: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(*items)
    assert words in caught.value.message and caught.value.param == "input"


def test_items_stay_as_they_are() -> None:
    items = [USER, thinks("a"), says([{"type": "output_text", "text": "A"}]), CALL, OUTPUT, COMPACTION]
    before = repr(items)
    assert read(*items) == read(*items)
    assert repr(items) == before


@pytest.mark.timeout(30)
def test_very_many_calls_and_outputs_are_put_together_in_one_pass() -> None:
    """Each output was looked for a place from the end, and each call among all of its message: minutes."""
    ids = [f"c{at}" for at in range(20_000)]
    calls, outputs = [{**CALL, "call_id": id} for id in ids], [{**OUTPUT, "call_id": id} for id in ids]
    message, *answers = read(USER, *calls, *calls, *outputs)[1:]
    assert [call["id"] for call in message["tool_calls"]] == [one["tool_call_id"] for one in answers] == ids
    check_answered([message, *answers])
