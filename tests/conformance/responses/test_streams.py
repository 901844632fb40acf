"""What the model says becomes items and events: all of it, in order, the same streamed and whole."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.conformance.upstream.scripted import Said, calls, says
from tests.conformance.responses.asking import TIME, WEATHER, Asking, kinds, texts

pytestmark = pytest.mark.asyncio(loop_scope="module")
BEGUN = ["created", "in_progress"]
TEXT = [
    "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
    "output_item.done",
]  # fmt: skip
REFUSAL = [name.replace("output_text", "refusal") for name in TEXT]
THOUGHT = [name.replace("output_text", "reasoning_text") for name in TEXT]
CALL = ["output_item.added", "function_call_arguments.delta"]
CALLED = ["function_call_arguments.done", "output_item.done"]


async def test_text_is_one_message(asking: Asking) -> None:
    events, response = await asking.both(says("Hello, ", "w\u00f6rld", "\n\ndata: {}\n\n!"))
    assert kinds(events) == [*BEGUN, *TEXT, "completed"]
    assert texts(response) == ["Hello, w\u00f6rld\n\ndata: {}\n\n!"]
    assert response["usage"] == {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 12,
    }
    assert response["completed_at"] >= response["created_at"]


async def test_a_message_without_text_is_no_item(asking: Asking) -> None:
    events, response = await asking.both(says())
    assert kinds(events) == [*BEGUN, "completed"] and response["output"] == []


async def test_a_refusal_is_a_part_of_its_own(asking: Asking) -> None:
    refused = Said(deltas=[{"refusal": "I will "}, {"refusal": "not."}])
    events, response = await asking.both(refused)
    assert kinds(events) == [*BEGUN, *REFUSAL, "completed"]
    assert response["output"][0]["content"] == [{"type": "refusal", "refusal": "I will not."}]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_thoughts_are_an_item_before_the_answer(asking: Asking, name: str) -> None:
    thought = Said(deltas=[{name: "Hm, "}, {name: "yes."}, {"content": "Yes"}, {"content": "."}])
    events, response = await asking.both(thought)
    assert kinds(events) == [*BEGUN, *THOUGHT, *TEXT, "completed"]
    assert [item["type"] for item in response["output"]] == ["reasoning", "message"]
    assert response["output"][0]["content"] == [{"type": "reasoning_text", "text": "Hm, yes."}]
    assert response["output"][0]["summary"] == []


async def test_thoughts_under_both_names_are_told_once(asking: Asking) -> None:
    """Some servers send both for the clients of either."""
    both = Said(deltas=[{"reasoning_content": "Hm.", "reasoning": "Hm."}, {"content": "Yes"}])
    _, response = await asking.both(both)
    assert response["output"][0]["content"][0]["text"] == "Hm."


async def test_calls_of_functions_are_items_that_come_in_pieces(asking: Asking) -> None:
    said = calls(("call_1", "get_weather", '{"city": "Paris"}'), ("call_2", "get_time", "{}"))
    events, response = await asking.both(said, tools=[WEATHER, TIME])
    assert kinds(events) == [*BEGUN, *CALL, *CALL, *CALLED, *CALLED, "completed"]
    shown = [(item["type"], item["call_id"], item["name"], item["arguments"]) for item in response["output"]]
    assert shown == [
        ("function_call", "call_1", "get_weather", '{"city": "Paris"}'),
        ("function_call", "call_2", "get_time", "{}"),
    ]


async def test_text_before_a_call_is_a_message_before_it(asking: Asking) -> None:
    called = calls(("call_1", "get_weather", "{}"))
    said = Said(deltas=[{"content": "Let me see. "}, *called.deltas], finish="tool_calls")
    _, response = await asking.both(said, tools=[WEATHER])
    assert [item["type"] for item in response["output"]] == ["message", "function_call"]
    assert texts(response) == ["Let me see. "]


async def test_log_probabilities_come_with_their_pieces(asking: Asking) -> None:
    pieces = [[{"token": word, "logprob": -0.5, "bytes": None, "top_logprobs": []}] for word in ("a", "b")]
    said = Said(deltas=[{"content": "a"}, {"content": "b"}], logprobs=pieces)
    events, response = await asking.both(said, include=["message.output_text.logprobs"])
    told = [event["logprobs"] for event in events if event["type"] == "response.output_text.delta"]
    assert [one["token"] for piece in told for one in piece] == ["a", "b"]
    assert [one["token"] for one in response["output"][0]["content"][0]["logprobs"]] == ["a", "b"]


@pytest.mark.parametrize(("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
async def test_an_answer_that_was_cut_off_is_incomplete(asking: Asking, finish: str, reason: str) -> None:
    events, response = await asking.both(says("Once upon", finish=finish))
    assert kinds(events)[-1] == "incomplete" and response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": reason} and response["completed_at"] is None
    assert response["output"][0]["status"] == "incomplete" and texts(response) == ["Once upon"]


async def test_a_call_that_was_cut_off_is_incomplete(asking: Asking) -> None:
    called = calls(("call_1", "get_weather", '{"city": "Pa'))
    cut = Said(deltas=called.deltas, finish="length")
    _, response = await asking.both(cut, tools=[WEATHER])
    [item] = response["output"]
    assert (item["status"], item["arguments"], response["status"]) == ("incomplete", '{"city": "Pa', "incomplete")


async def test_without_token_counts_there_are_none(asking: Asking) -> None:
    _, response = await asking.both(says("Hi", usage=None))
    assert response["usage"] is None


def _call(index: int | None, id: str | None, name: str | None = None, arguments: str | None = None) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    part: dict[str, Any] = {"index": index, "id": id, "type": "function" if name else None}
    part["function"] = {key: value for key, value in function.items() if value is not None}
    return {"tool_calls": [{key: value for key, value in part.items() if value is not None}]}


BOTH = [("get_weather", '{"city": "Paris"}'), ("get_time", '{"city": "Rome"}')]
ONE, TWO = (arguments for _, arguments in BOTH)
ODD_CALLS = {
    "whole in the first piece": [_call(0, "a", "get_weather", ONE), _call(1, "b", "get_time", TWO)],
    "no index, whole": [_call(None, "a", "get_weather", ONE), _call(None, "b", "get_time", TWO)],
    "no index, in pieces": [
        _call(None, "a", "get_weather", ""), _call(None, None, None, ONE[:5]), _call(None, None, None, ONE[5:]),
        _call(None, "b", "get_time", TWO),
    ],
    "no index, each piece with its id": [
        _call(None, "a", "get_weather", ONE[:5]), _call(None, "b", "get_time", TWO[:5]),
        _call(None, "a", None, ONE[5:]), _call(None, "b", None, TWO[5:]),
    ],
    "the same index for all": [_call(0, "a", "get_weather", ONE), _call(0, "b", "get_time", TWO)],
    "the same index, in pieces": [
        _call(0, "a", "get_weather", ""), _call(0, None, None, ONE), _call(0, "b", "get_time", ""),
        _call(0, None, None, TWO),
    ],
    "no ids": [_call(0, None, "get_weather", ONE), _call(1, None, "get_time", TWO)],
    "empty ids": [_call(0, "", "get_weather", ONE), _call(1, "", "get_time", TWO)],
    "the same id for all": [_call(0, "a", "get_weather", ONE), _call(1, "a", "get_time", TWO)],
    "id and name in each piece": [
        _call(0, "a", "get_weather", ONE[:5]), _call(0, "a", "get_weather", ONE[5:]),
        _call(1, "b", "get_time", TWO[:5]), _call(1, "b", "get_time", TWO[5:]),
    ],
    "an index that begins at one": [_call(1, "a", "get_weather", ONE), _call(2, "b", "get_time", TWO)],
    "pieces in turn": [
        _call(0, "a", "get_weather", ""), _call(1, "b", "get_time", ""), _call(0, None, None, ONE[:5]),
        _call(1, None, None, TWO), _call(0, None, None, ONE[5:]),
    ],
    "id and name apart": [
        _call(0, "a"), _call(0, None, "get_weather"), _call(0, None, None, ONE),
        _call(1, "b"), _call(1, None, "get_time", TWO),
    ],
}  # fmt: skip


@pytest.mark.parametrize("deltas", ODD_CALLS.values(), ids=list(ODD_CALLS))
async def test_no_call_is_lost_however_a_provider_sends_it(asking: Asking, deltas: list[dict[str, Any]]) -> None:
    asking.says(Said(deltas=deltas, finish="tool_calls"))
    events = await asking.streamed(tools=[WEATHER, TIME])
    output = events[-1]["response"]["output"]
    assert [(item["name"], item["arguments"]) for item in output] == BOTH
    ids = [item["call_id"] for item in output]
    assert all(ids) and len(set(ids)) == 2, "each can be answered"


async def test_a_call_without_arguments_has_those_of_no_members(asking: Asking) -> None:
    asking.says(Said(deltas=[_call(0, "a", "get_time")], finish="tool_calls"))
    [item] = (await asking.streamed(tools=[TIME]))[-1]["response"]["output"]
    assert item["arguments"] == "{}"


async def test_content_that_is_a_list_of_parts_is_text(asking: Asking) -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    whole = {"role": "assistant", "content": [*parts, {"type": "text", "text": "c"}]}
    said = Said(deltas=[{"content": parts}, {"content": "c"}], whole=whole)
    _, response = await asking.both(said)
    assert texts(response) == ["abc"]


async def test_a_message_that_comes_whole_in_a_stream_is_read(asking: Asking) -> None:
    """Some servers answer so where they cannot stream, such as with tools."""
    called = calls(("call_1", "get_weather", ONE)).message()
    whole = {**called, "content": "See.", "reasoning_content": "Hm."}
    asking.says(Said(deltas=[whole], finish="tool_calls"))
    output = (await asking.streamed(tools=[WEATHER]))[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["reasoning", "message", "function_call"]
    assert output[2]["arguments"] == ONE
