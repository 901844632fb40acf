"""Histories that no provider takes as they are: what the model reads of them."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.conformance.upstream.scripted import Said, calls
from tests.conformance.responses.asking import TIME, WEATHER, Asking

pytestmark = pytest.mark.asyncio(loop_scope="module")
Json = dict[str, Any]
USER = {"role": "user", "content": "Hi"}
CALL = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"}
BROKEN = {**CALL, "arguments": '{"city'}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "rain"}
SAID = {"role": "assistant", "content": "Wait."}
THOUGHT = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]}


def read(asking: Asking) -> list[Json]:
    """The messages that the model was sent last."""
    messages: list[Json] = asking.vendor.calls("/chat/completions")[-1].json()["messages"]
    return messages


def roles(messages: list[Json]) -> str:
    return " ".join(f"{one['role']}{'+calls' if 'tool_calls' in one else ''}" for one in messages)


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([USER, CALL, SAID, OUTPUT], "user assistant+calls tool"),
        ([USER, SAID, CALL, SAID, OUTPUT], "user assistant+calls tool"),
        ([USER, CALL, THOUGHT, OUTPUT], "user assistant+calls tool"),
        ([USER, CALL, USER, OUTPUT], "user assistant+calls tool user"),
        ([USER, CALL, {**CALL, "call_id": "d"}, USER, OUTPUT, {**OUTPUT, "call_id": "d"}],
         "user assistant+calls tool tool user"),
        ([USER, CALL, OUTPUT, CALL, OUTPUT], "user assistant+calls tool assistant+calls tool"),
    ],
)  # fmt: skip
async def test_an_output_stands_behind_its_call(asking: Asking, items: list[Json], told: str) -> None:
    await asking.whole(items, tools=[WEATHER])
    assert roles(read(asking)) == told


async def test_what_is_said_between_a_call_and_its_output_is_one_message(asking: Asking) -> None:
    await asking.whole([USER, THOUGHT, SAID, CALL, THOUGHT, SAID, OUTPUT], tools=[WEATHER])
    said = read(asking)[1]
    assert (said["content"], said["reasoning_content"]) == ("Wait.Wait.", "HmHm") and len(said["tool_calls"]) == 1


@pytest.mark.parametrize(
    "left_out",
    [[THOUGHT], [BROKEN], [THOUGHT, BROKEN], [{**BROKEN, "arguments": ""}], [{"role": "assistant", "content": []}]],
)
async def test_what_was_broken_off_is_left_out(asking: Asking, left_out: list[Json]) -> None:
    await asking.whole([USER, *left_out, USER])
    assert read(asking) == [USER, USER]


async def test_a_call_that_was_broken_off_beside_a_whole_one_is_left_out(asking: Asking) -> None:
    await asking.whole([USER, {**BROKEN, "call_id": "b"}, CALL, OUTPUT], tools=[WEATHER])
    [called] = read(asking)[1]["tool_calls"]
    assert called["id"] == "c"


async def test_a_call_with_wrong_arguments_that_was_answered_stays(asking: Asking) -> None:
    await asking.whole([USER, BROKEN, {**OUTPUT, "output": "no such city"}], tools=[WEATHER])
    assert roles(read(asking)) == "user assistant+calls tool"


@pytest.mark.parametrize("finish", ["length", "content_filter"])
@pytest.mark.parametrize(
    "said", [calls(("call_1", "get_weather", '{"cit')).deltas, [{"reasoning_content": "Hm"}]], ids=["call", "thought"]
)
async def test_a_response_that_ended_within_a_call_or_a_thought_is_continued(
    asking: Asking, said: list[Json], finish: str
) -> None:
    asking.says(Said(deltas=said, finish=finish))
    broken = (await asking.streamed(tools=[WEATHER, TIME]))[-1]["response"]
    assert broken["status"] == "incomplete"
    asking.vendor.misbehaves = None
    await asking.whole("Go on", previous_response_id=broken["id"])
    assert [one["content"] for one in read(asking)] == ["Hi", "Go on"]


@pytest.mark.parametrize(
    "item",
    [
        {**CALL, "content": [1]},
        {"type": "file_search_call", "content": ["a"]},
        {"role": "user", "content": [{"type": "input_image", "image_url": "https://example.org/a.png", "text": 5}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No.", "text": 5}]},
    ],
)
async def test_members_that_nobody_knows_mean_nothing(asking: Asking, item: Json) -> None:
    outputs = [OUTPUT] if item.get("type") == "function_call" else []
    await asking.whole([USER, item, *outputs, USER], tools=[WEATHER])


async def test_a_function_with_null_members_is_one_without_them(asking: Asking) -> None:
    """As OpenAI's clients write it: for them `parameters` and `strict` are required, and may be null."""
    bare = {"type": "function", "name": "now", "description": None, "parameters": None, "strict": None}
    await asking.whole(tools=[bare])
    [told] = asking.vendor.calls("/chat/completions")[-1].json()["tools"]
    assert told == {"type": "function", "function": {"name": "now"}}


async def test_a_call_without_an_output_is_refused_and_named(asking: Asking) -> None:
    before = len(asking.vendor.seen)
    for items in ([USER, CALL, USER], [USER, CALL], [USER, CALL, {**CALL, "call_id": "d"}, {**OUTPUT, "call_id": "d"}]):
        refused = await asking.refused({"input": items, "tools": [WEATHER]})
        assert (refused["status"], refused["param"]) == (400, "input")
        assert "The call `c` of `get_weather` has no output" in refused["message"]
    assert len(asking.vendor.seen) == before


async def test_a_call_that_is_sent_again_is_one_call(asking: Asking) -> None:
    called = await asking.whole("Weather in Lima?", tools=[WEATHER])
    [call] = called["output"]
    again = [call, {**OUTPUT, "call_id": call["call_id"]}]
    await asking.whole(again, tools=[WEATHER], previous_response_id=called["id"])
    assert len(read(asking)[1]["tool_calls"]) == 1


async def test_items_with_one_id_are_listed_each_under_its_own(asking: Asking) -> None:
    """A list is read by ids: of two with the same one, the second would lead back to the first."""
    first = await asking.whole([{**USER, "id": "a"}, {**USER, "id": "a"}, {**USER, "id": "b"}])
    again = [{"type": "item_reference", "id": "b"}, *first["output"], USER]
    second = await asking.whole(again, previous_response_id=first["id"])
    assert roles(read(asking)) == "user user user assistant user assistant user"
    listed: list[str] = []
    page: Json = {"has_more": True}
    while page["has_more"]:
        assert len(listed) < 7
        after = f"&after={page['last_id']}" if listed else ""
        path = f"/v1/responses/{second['id']}/input_items?limit=1&order=asc{after}"
        page = (await asking.client.get(path)).json()
        listed += [item["id"] for item in page["data"]]
    assert len(listed) == len(set(listed)) == 7
    assert listed[0] == "a" and listed[2:4] == ["b", first["output"][0]["id"]]
