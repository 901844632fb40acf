"""A conversation longer than the model reads, here 10,000 characters: an error, or without its oldest turns."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.responses.asking import WEATHER, Asking

pytestmark = pytest.mark.asyncio(loop_scope="module")
Json = dict[str, Any]
LONG = "x" * 2_000


def turn(number: int) -> list[Json]:
    """A question, a call and an answer, of 2,000 characters."""
    call = {"type": "function_call", "call_id": f"c{number}", "name": "get_weather", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": f"c{number}", "output": LONG}
    said = {"role": "assistant", "content": f"a{number}"}
    return [{"role": "user", "content": f"u{number}"}, call, output, said]


HISTORY = [{"role": "system", "content": "s"}, *(item for number in range(12) for item in turn(number))]
LAST = {"role": "user", "content": "last"}


async def test_without_truncation_the_error_of_the_model_is_passed_on(asking: Asking) -> None:
    for fields in ({}, {"truncation": "disabled"}):
        refused = await asking.refused({"input": [*HISTORY, LAST], **fields})
        assert (refused["status"], refused["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize("streams", [False, True])
async def test_the_oldest_turns_are_left_out_as_a_whole(asking: Asking, streams: bool) -> None:
    before = len(asking.vendor.calls("/chat/completions"))
    answer = asking.streamed if streams else asking.whole
    await answer([*HISTORY, LAST], truncation="auto")
    tries = asking.vendor.calls("/chat/completions")[before:]
    assert 1 < len(tries) <= 6
    messages = tries[-1].json()["messages"]
    assert messages[0]["content"] == "s" and messages[-1]["content"] == "last"
    users = [one["content"] for one in messages if one["role"] == "user"]
    assert len(users) >= 3 and users == [*(f"u{number}" for number in range(13 - len(users), 12)), "last"]
    called = [call["id"] for one in messages for call in one.get("tool_calls") or ()]
    assert called == [one["tool_call_id"] for one in messages if one["role"] == "tool"]
    assert len(called) == len(users) - 1


async def test_the_outputs_that_are_to_be_answered_stay(asking: Asking) -> None:
    """The last turn alone is too long: its older calls go."""
    calls = [item for number in range(8) for item in turn(number)[1:3]]
    await asking.whole([LAST, *calls], truncation="auto", tools=[WEATHER])
    messages = asking.vendor.calls("/chat/completions")[-1].json()["messages"]
    assert messages[0]["content"] == "last" and messages[-1]["tool_call_id"] == "c7"
    assert 3 <= len(messages) < 11


async def test_what_is_kept_is_the_whole(asking: Asking) -> None:
    response = await asking.whole([*HISTORY, LAST], truncation="auto")
    assert response["truncation"] == "auto"
    kept = await asking.kept(response["id"])
    assert len(kept["input"]) == len(HISTORY) + 1


async def test_what_cannot_be_shortened_ends_with_the_error(asking: Asking) -> None:
    before = len(asking.vendor.calls("/chat/completions"))
    long = [{"role": "system", "content": "s" * 9_000}, {"role": "user", "content": LONG}]
    refused = await asking.refused({"input": long, "truncation": "auto"})
    assert refused["code"] == "context_length_exceeded"
    assert len(asking.vendor.calls("/chat/completions")) == before + 2, "once whole, once streamed"


async def test_another_error_is_not_tried_again(asking: Asking) -> None:
    before = len(asking.vendor.calls("/chat/completions"))
    wrong = {**WEATHER, "name": "no name"}
    refused = await asking.refused({"input": [*HISTORY, LAST], "tools": [wrong], "truncation": "auto"})
    assert refused["status"] == 400 and refused["code"] != "context_length_exceeded"
    assert len(asking.vendor.calls("/chat/completions")) == before + 2
