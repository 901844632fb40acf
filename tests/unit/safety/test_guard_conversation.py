"""Chat messages as the turns that Llama Guard reads."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import RequestError
from runtime.providers.safety._llama_guard.conversation import Turn, conversation

Json = dict[str, Any]


def said(*messages: tuple[str, Any]) -> list[tuple[str, str]]:
    """Who says what, of messages as (role, content)."""
    turns = conversation([{"role": role, "content": content} for role, content in messages])
    return [(turn.speaker, turn.text) for turn in turns]


def test_turns_of_user_and_agent_stay_as_they_are() -> None:
    assert said(("user", " one\n"), ("assistant", "two"), ("user", "three")) == [
        ("User", "one"),
        ("Agent", "two"),
        ("User", "three"),
    ]


def test_messages_in_a_row_are_judged_together() -> None:
    """llama-stack loses the first of two user messages at the start, and judges the last alone."""
    assert said(("user", "one"), ("user", "two")) == [("User", "one\ntwo")]
    assert said(("user", "one"), ("assistant", "two"), ("assistant", "three")) == [
        ("User", "one"),
        ("Agent", "two\nthree"),
    ]


def test_a_tool_s_result_is_what_the_agent_is_told() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "search", "arguments": '{"query": "locks"}'}}
    assert conversation(
        [
            {"role": "user", "content": "Search."},
            {"role": "assistant", "content": "I do.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "Found."}]},
        ]
    ) == (
        Turn(speaker="User", text="Search."),
        Turn(speaker="Agent", text='I do.\nsearch({"query": "locks"})'),
        Turn(speaker="User", text="Found."),
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"tool_calls": [{"type": "custom", "custom": {"name": "python", "input": "fork()"}}]}, "python(fork())"),
        ({"function_call": {"name": "python", "arguments": "{}"}}, "python({})"),
        ({"refusal": "I will not."}, "I will not."),
        ({"content": [{"type": "refusal", "refusal": "No."}, {"type": "text", "text": "Yes."}]}, "No.\nYes."),
    ],
)
def test_all_that_an_agent_says_is_judged(fields: Json, text: str) -> None:
    turns = conversation([{"role": "user", "content": "Go."}, {"role": "assistant", "content": None, **fields}])
    assert turns[-1] == Turn(speaker="Agent", text=text)


def test_instructions_are_left_out_unless_they_are_judged() -> None:
    assert said(("system", "Be kind."), ("developer", "Be brief."), ("user", "one")) == [("User", "one")]
    assert said(("user", "one"), ("assistant", "two"), ("system", "Be unkind.")) == [
        ("User", "one"),
        ("Agent", "two"),
        ("User", "Be unkind."),
    ]


def test_the_user_is_first() -> None:
    assert said(("assistant", "Hello."), ("user", "one")) == [("User", "one")]


def test_an_agent_alone_is_judged_as_a_user() -> None:
    assert said(("assistant", "Hello."), ("assistant", "You.")) == [("User", "Hello.\nYou.")]
    assert said(("system", "Be kind."), ("assistant", "Hello.")) == [("User", "Hello.")]


def test_messages_with_nothing_to_read_are_left_out() -> None:
    assert said(("user", "one"), ("assistant", None), ("user", "two")) == [("User", "one\ntwo")]


@pytest.mark.parametrize("content", [None, "", " \n", [], [{"type": "text", "text": " "}]])
def test_nothing_to_judge_is_refused(content: object) -> None:
    with pytest.raises(RequestError) as raised:
        said(("user", "one"), ("assistant", content))
    assert raised.value.param == "messages.1"


def test_no_messages_are_refused() -> None:
    with pytest.raises(RequestError, match="no messages"):
        said()


def test_images_are_kept_with_their_turn() -> None:
    parts = [
        {"type": "text", "text": "this"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
        {"type": "image_url", "image_url": "https://example.com/1.png"},
    ]
    (turn,) = conversation([{"role": "user", "content": parts}])
    assert turn == Turn(speaker="User", text="this", images=("data:image/png;base64,AA", "https://example.com/1.png"))


def test_a_part_to_judge_that_no_version_reads_is_refused() -> None:
    parts = [{"type": "text", "text": "Listen:"}, {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]
    with pytest.raises(RequestError, match="`input_audio`"):
        said(("user", parts))
    assert said(("user", parts), ("assistant", "one")) == [("User", "Listen:"), ("Agent", "one")]


ROLES = st.sampled_from(["user", "assistant", "system", "developer", "tool", "function"])


@given(st.lists(st.tuples(ROLES, st.text("ab \n", max_size=4)), min_size=1, max_size=8))
def test_a_template_takes_whatever_comes_out(messages: list[tuple[str, str]]) -> None:
    if not messages[-1][1].strip():
        return
    turns = said(*messages)
    assert turns[0][0] == "User"
    assert all(before[0] != after[0] for before, after in pairwise(turns))
    assert turns[-1][1].endswith(messages[-1][1].strip())
    assert all(text for _, text in turns)
