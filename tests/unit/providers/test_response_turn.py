"""One answer of a model as items, however its provider cuts it into chunks."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.errors import UpstreamError
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.turn import Turn
from runtime.sse import Json
from tests.support.response_parts import beginning, piece, told
from tests.support.response_streams import added_up, check_types

TWO = [("f", '{"a": 1}'), ("g", "{}")]


def call(name: str | None = None, arguments: Any = None, **facts: Any) -> Json:
    """A piece of a call."""
    given = {"name": name, "arguments": arguments}
    return {**facts, "function": {key: value for key, value in given.items() if value is not None}}


def calling(*parts: Json) -> Json:
    return piece({"tool_calls": [*parts]})


def answered(*chunks: Json, ours: tuple[str, ...] = ()) -> tuple[Answering, Turn]:
    """The answer after its last chunk; its events add up to its output."""
    answering = beginning()
    turn = Turn(answering, ours=ours)
    for chunk in chunks:
        turn.add(chunk)
    turn.end()
    events = told(answering)
    for event in events:
        check_types(event)
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert sorted(done, key=answering.output.index) == answering.output
    assert added_up(events) == [{**item, "status": "in_progress"} for item in answering.output]
    return answering, turn


def made(answering: Answering) -> list[tuple[str, str]]:
    """Name and arguments of each call in the output."""
    return [(item["name"], item["arguments"]) for item in answering.output if item["type"] == "function_call"]


def said(answering: Answering) -> list[tuple[str, str]]:
    """Each item with one part, by its type, and what it says."""
    parts = [(item["type"], item["content"][0]) for item in answering.output if "content" in item]
    return [(kind, part.get("text") or part.get("refusal")) for kind, part in parts]


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(
            [
                calling(call("f", "", index=0, id="1"), call("g", "", index=1, id="2")),
                calling(call(arguments='{"a"', index=0)),
                calling(call(arguments="{}", index=1)),
                calling(call(arguments=": 1}", index=0)),
            ],
            id="pieces of both in turns",
        ),
        pytest.param([calling(call("f", '{"a": 1}', id="1")), calling(call("g", "{}", id="2"))], id="without index"),
        pytest.param(
            [calling(call("f", '{"a"', id="1")), calling(call(arguments=": 1}")), calling(call("g", "{}", id="2"))],
            id="without index, in pieces",
        ),
        pytest.param(
            [calling(call("f", '{"a": 1}', index=0, id="1")), calling(call("g", "{}", index=0, id="2"))],
            id="one index for both",
        ),
        pytest.param(
            [
                calling(call("f", '{"a"', index=0, id="1")),
                calling(call("f", ": 1}", index=0, id="1")),
                calling(call("g", "{}", index=1, id="2")),
            ],
            id="id and name in each piece",
        ),
        pytest.param(
            [calling(call("f", {"a": 1}, index=0, id="1"), call("g", {}, index=1, id="2"))], id="arguments as objects"
        ),
        pytest.param(
            [
                calling(call(index=0, id="1")),
                calling(call(arguments='{"a": 1}', index=0)),
                calling(call("f", index=0)),
                calling(call("g", index=1, id="2")),
            ],
            id="the name comes late",
        ),
        pytest.param([calling(call("f", '{"a": 1}'), call("g", "{}"))], id="nothing but names"),
        pytest.param(
            [{"choices": [{"message": {"tool_calls": [call("f", '{"a": 1}', id="1"), call("g", "{}", id="2")]}}]}],
            id="a whole answer",
        ),
    ],
)
def test_calls_are_told_apart_however_they_come(chunks: list[Json]) -> None:
    answering, turn = answered(*chunks)
    assert [(name, arguments.replace('":1', '": 1')) for name, arguments in made(answering)] == TWO
    ids = [item["call_id"] for item in answering.output]
    assert len({*ids}) == 2 and all(ids) and [call.id for call in turn.calls] == ids


def test_two_calls_with_one_id_have_two() -> None:
    answering, _ = answered(calling(call("f", "{}", index=0, id="1"), call("g", "{}", index=1, id="1")))
    first, second = (item["call_id"] for item in answering.output)
    assert first == "1" and second != "1"


def test_one_function_called_twice_without_index_or_id_is_called_twice() -> None:
    answering, _ = answered(calling(call("f", '{"a": 1}')), calling(call("f", '{"a": 2}')))
    assert made(answering) == [("f", '{"a": 1}'), ("f", '{"a": 2}')]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    answering, _ = answered(calling(call("f", index=0, id="1")))
    assert made(answering) == [("f", "{}")]


def test_calls_of_what_is_run_here_are_no_items() -> None:
    answering, turn = answered(calling(call("look", "{}", index=0, id="1"), call("f", "{}", index=1)), ours=("look",))
    assert made(answering) == [("f", "{}")]
    assert [(call.name, call.place) for call in turn.calls] == [("look", None), ("f", 0)]


def test_a_call_that_is_never_named_is_an_error_and_the_others_stand() -> None:
    answering = beginning()
    turn = Turn(answering, ours=())
    turn.add(calling(call("f", "{}", index=0, id="1"), call(arguments="{}", index=1, id="2")))
    with pytest.raises(UpstreamError, match="without naming it"):
        turn.end()
    assert made(answering) == [("f", "{}")]


@pytest.mark.parametrize(
    "content",
    ["Hello", [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}], [{"text": "Hello"}, {"type": "x"}]],
    ids=["text", "parts", "a part that is no text"],
)
def test_content_may_be_parts(content: Any) -> None:
    answering, turn = answered(piece({"content": content}))
    assert said(answering) == [("message", "Hello")] and turn.text == "Hello"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts_have_two_names(name: str) -> None:
    answering, turn = answered(piece({name: "Let me "}), piece({name: "see."}), piece({"content": "Yes"}))
    assert said(answering) == [("reasoning", "Let me see."), ("message", "Yes")]
    assert (turn.reasoning, turn.text) == ("Let me see.", "Yes")


def test_thoughts_in_both_names_are_thought_once() -> None:
    answering, _ = answered(piece({"reasoning_content": "Hm", "reasoning": "Hm"}))
    assert said(answering) == [("reasoning", "Hm")]


@pytest.mark.parametrize("thought", [{"effort": "low"}, None, "", 5])
def test_what_is_no_text_is_no_thought(thought: Any) -> None:
    answering, _ = answered(piece({"reasoning": thought, "content": "Yes"}))
    assert said(answering) == [("message", "Yes")]


def test_whatever_else_begins_ends_what_is_open() -> None:
    answering, turn = answered(
        piece({"content": "A"}), piece({"refusal": "No"}), piece({"content": "B"}),
        calling(call("f", "{}", index=0, id="1")), piece({"reasoning": "hm"}), piece({"content": "C"}),
    )  # fmt: skip
    assert [item["type"] for item in answering.output] == [
        "message", "message", "message", "function_call", "reasoning", "message",
    ]  # fmt: skip
    assert [item["status"] for item in answering.output] == ["completed"] * 6
    assert turn.text == "ANoBC"


def test_other_choices_are_passed_over() -> None:
    chunk = {"choices": [{"index": 1, "delta": {"content": "no"}}, {"index": 0, "delta": {"content": "yes"}}]}
    assert said(answered(chunk)[0]) == [("message", "yes")]


@pytest.mark.parametrize(
    "chunk", [piece({}), piece({"content": None, "tool_calls": None}), {"choices": [{"delta": None}]}]
)
def test_chunks_that_say_nothing_make_nothing(chunk: Json) -> None:
    answering, turn = answered(chunk)
    assert answering.output == [] and turn.finish_reason is None


@pytest.mark.parametrize("chunk", [{}, {"choices": []}, {"choices": None, "usage": {"total_tokens": 1}}])
def test_an_answer_without_a_choice_is_an_error(chunk: Json) -> None:
    turn = Turn(beginning(), ours=())
    turn.add(chunk)
    with pytest.raises(UpstreamError, match="without a choice"):
        turn.end()


@pytest.mark.parametrize(
    ("finish", "status"), [("length", "incomplete"), ("content_filter", "incomplete"), ("stop", "completed")]
)
def test_what_is_broken_off_is_incomplete(finish: str, status: str) -> None:
    answering, _ = answered(
        piece({"content": "A"}), calling(call("f", '{"a', index=0, id="1")), piece({}, finish_reason=finish)
    )
    assert [item["status"] for item in answering.output] == ["completed", status]


def test_the_last_usage_counts_however_often_it_comes() -> None:
    usage = [{"prompt_tokens": 5, "completion_tokens": count, "total_tokens": 5 + count} for count in (1, 2)]
    answering, _ = answered(
        *({**piece({"content": "a"}), "usage": one} for one in usage), {"choices": [], "usage": None}
    )
    assert answering.response["usage"]["output_tokens"] == 2


def test_usage_that_is_no_number_does_not_hinder_an_interruption() -> None:
    answering = beginning()
    turn = Turn(answering, ours=())
    turn.add({**piece({"content": "Yes"}), "usage": {"prompt_tokens": "many"}})
    turn.interrupt()
    assert said(answering) == [("message", "Yes")]


def test_what_is_interrupted_keeps_what_has_come() -> None:
    answering = beginning()
    turn = Turn(answering, ours=())
    for chunk in (
        calling(call("f", '{"a', index=0, id="1")),
        {**piece({"content": "Yes, b"}), "usage": {"total_tokens": 3}},
    ):
        turn.add(chunk)
    turn.interrupt()
    assert made(answering) == [("f", '{"a')] and said(answering) == [("message", "Yes, b")]
    assert {item["status"] for item in answering.output} == {"in_progress"}
    assert answering.response["usage"]["total_tokens"] == 3
    turn.interrupt()
    assert answering.response["usage"]["total_tokens"] == 3, "once"


VIOLATION = {"shield_id": "s", "found_in": "output", "violation_level": "error", "user_message": "No.", "metadata": {}}


def test_what_a_shield_stops_is_incomplete_and_its_refusal_whole() -> None:
    refusing = [
        piece({"role": "assistant", "refusal": "No."}) | {"violation": VIOLATION},
        piece({}, finish_reason="content_filter") | {"violation": VIOLATION},
    ]
    answering, turn = answered(calling(call("f", "{}", index=0, id="1")), piece({"content": "First you "}), *refusing)
    assert turn.violation == VIOLATION
    called, said, refused = answering.output
    assert (called["status"], said["status"], refused["status"]) == ("incomplete", "incomplete", "completed")
    assert refused["content"] == [{"type": "refusal", "refusal": "No."}]


def test_a_filter_of_the_vendor_s_own_is_no_violation() -> None:
    for other in ({}, {"violation": None}, {"violation": "yes"}, {"violation": {"level": "error"}}):
        answering, turn = answered(piece({"content": "First"}, finish_reason="content_filter") | other)
        assert turn.violation is None and answering.output[0]["status"] == "incomplete"
