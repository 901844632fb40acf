"""Conversations made shorter: what stays, what the model reads of the rest, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import ResponseCompactionItem

from runtime.conformance.upstream.scripted import Script, calls, says
from tests.conformance.responses.asking import MODEL, WEATHER, Asking, texts

pytestmark = pytest.mark.asyncio(loop_scope="module")
Json = dict[str, Any]
SUMMARY = "Told a joke about llamas; rain in Lima."
CALLED = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": '{"city": "Lima"}'}
TURNS: list[Json] = [
    {"role": "developer", "content": "Be kind"},
    {"role": "user", "content": "A joke?"},
    {"role": "assistant", "content": "Two llamas meet"},
    {"role": "user", "content": "Weather?"},
    CALLED,
    {"type": "function_call_output", "call_id": "c", "output": "rain"},
    {"role": "assistant", "content": "It rains"},
]
KEPT = [("developer", "Be kind"), ("user", "A joke?"), ("user", "Weather?")]


async def compacted(asking: Asking, **fields: Any) -> tuple[Json, Script]:
    script = asking.says(says(SUMMARY))
    answered = await asking.client.post("/v1/responses/compact", {"model": MODEL, **fields})
    assert answered.status == 200, answered.body
    response: Json = answered.json()
    assert sorted(response) == ["created_at", "id", "object", "output", "usage"]
    assert response["object"] == "response.compaction" and response["usage"]["total_tokens"] == 12
    ResponseCompactionItem.model_validate(response["output"][-1])
    return response, script


async def read(asking: Asking, input: Any, **fields: Any) -> list[tuple[str, Any]]:
    """What the model reads, as roles and texts."""
    script = asking.says(says("ok"))
    await asking.whole(input, **fields)
    return [(message["role"], message["content"]) for message in script.asked[-1]["messages"]]


async def test_messages_stay_and_the_rest_is_summarised_by_the_model(asking: Asking) -> None:
    response, script = await compacted(asking, input=TURNS, instructions="Mention llamas", service_tier="flex")
    *kept, item = response["output"]
    assert [(one["role"], one["content"][0]["text"]) for one in kept] == KEPT
    assert item["type"] == "compaction" and SUMMARY not in item["encrypted_content"]
    [asked] = script.asked
    assert asked["store"] is False and asked["service_tier"] == "flex" and "tools" not in asked
    system, user = asked["messages"]
    assert "Mention llamas" in system["content"]
    for told in ("Two llamas meet", 'get_weather({"city": "Lima"})', "tool: rain", "user: Weather?"):
        assert told in user["content"]


async def test_it_is_continued_by_id_and_by_items_alike(asking: Asking) -> None:
    response, _ = await compacted(asking, input=TURNS)
    by_id = await read(asking, "And?", previous_response_id=response["id"])
    by_items = await read(asking, [*response["output"], {"role": "user", "content": "And?"}])
    assert by_id == by_items
    assert [by_id[0], *by_id[2:]] == [*KEPT, ("user", "And?")]
    role, summary = by_id[1]
    assert role == "system" and summary.endswith(SUMMARY)
    kept = await asking.kept(response["id"])
    assert (kept["object"], kept["status"], kept["output"]) == ("response", "completed", response["output"])


async def test_what_was_compacted_is_compacted_again(asking: Asking) -> None:
    first, _ = await compacted(asking, input=TURNS)
    asking.says(says("Sun"))
    second = await asking.whole("And in Rome?", previous_response_id=first["id"])
    third, script = await compacted(asking, previous_response_id=second["id"])
    assert SUMMARY in script.asked[0]["messages"][1]["content"], "the older summary is part of the newer one"
    assert [item["type"] for item in third["output"]].count("compaction") == 1
    assert [item["role"] for item in third["output"][:-1]] == ["developer", "user", "user", "user"]


async def test_one_that_is_not_stored_is_continued_by_its_items_only(asking: Asking) -> None:
    response, _ = await compacted(asking, input=TURNS, store=False)
    gone = await asking.client.get(f"/v1/responses/{response['id']}")
    assert gone.status == 404
    assert len(await read(asking, response["output"])) == 4


async def test_a_conversation_stays_as_it_is(asking: Asking) -> None:
    made = await asking.client.post("/v1/conversations", {"items": TURNS})
    assert made.status == 200, made.body
    conversation = made.json()["id"]
    response, _ = await compacted(asking, conversation=conversation)
    assert len(response["output"]) == 4
    items = await asking.client.get(f"/v1/conversations/{conversation}/items")
    assert len(items.json()["data"]) == len(TURNS)


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({}, 400, "input"),
        ({"input": "Hi", "model": "vendor/gone"}, 404, "model"),
        ({"previous_response_id": "resp_gone"}, 404, "previous_response_id"),
        ({"previous_response_id": "r", "conversation": "c"}, 400, "conversation"),
    ],
)
async def test_what_cannot_be_compacted(asking: Asking, fields: Json, status: int, param: str) -> None:
    answered = await asking.client.post("/v1/responses/compact", {"model": MODEL, **fields})
    assert (answered.status, answered.error["param"]) == (status, param), answered.body


async def test_a_model_that_writes_no_summary_is_said_to(asking: Asking) -> None:
    asking.says(says(" \n"))
    answered = await asking.client.post("/v1/responses/compact", {"model": MODEL, "input": TURNS})
    assert answered.status == 502 and "wrote nothing" in answered.error["message"]


@pytest.mark.parametrize("sealed", ["gAAAAAB another server's", "llse1.AAAA", "A plain summary"])
async def test_a_compaction_of_another_server_is_refused_and_not_left_out(asking: Asking, sealed: str) -> None:
    items = [{"type": "compaction", "id": "cmp_1", "encrypted_content": sealed}, {"role": "user", "content": "On"}]
    refused = await asking.refused({"input": items})
    assert (refused["status"], refused["param"]) == (400, "input") and "`cmp_1`" in refused["message"]


async def test_a_call_that_went_into_a_summary_cannot_be_answered(asking: Asking) -> None:
    response, _ = await compacted(asking, input=[TURNS[1], CALLED])
    output = {"type": "function_call_output", "call_id": "c", "output": "rain"}
    refused = await asking.refused({"input": [output], "previous_response_id": response["id"]})
    assert (refused["status"], refused["param"]) == (400, "input") and "the call `c`" in refused["message"]


def managed(threshold: int) -> Json:
    return {"context_management": [{"type": "compaction", "compact_threshold": threshold}]}


async def test_a_long_conversation_is_compacted_before_it_is_answered(asking: Asking) -> None:
    asked = [*TURNS, {"role": "user", "content": "Thanks"}]
    asking.says(says(SUMMARY), says("Wel", "come"))
    events = await asking.streamed(asked, **managed(20))
    asking.says(says(SUMMARY), says("Welcome"))
    response = await asking.whole(asked, **managed(20))
    for made in (response, events[-1]["response"]):
        assert [item["type"] for item in made["output"]] == ["compaction", "message"]
        assert texts(made) == ["Welcome"]
        assert made["usage"]["total_tokens"] == 24, "the summary counts too"
    assert [(event["type"], event["item"]["type"]) for event in events[2:4]] == [
        ("response.output_item.added", "compaction"),
        ("response.output_item.done", "compaction"),
    ]


async def test_what_continues_it_reads_what_it_read(asking: Asking) -> None:
    script = asking.says(says(SUMMARY), says("Welcome"), says("Bye"))
    asked = [*TURNS, {"role": "user", "content": "Thanks"}]
    first = await asking.whole(asked, instructions="Be brief", **managed(20))
    messages = script.asked[1]["messages"]
    assert [(one["role"], one["content"]) for one in (*messages[:2], *messages[3:])] == [
        ("system", "Be brief"), *KEPT, ("user", "Thanks"),
    ]  # fmt: skip
    await asking.whole("Bye", instructions="Be brief", previous_response_id=first["id"])
    assert script.asked[2]["messages"][: len(messages)] == messages
    more = script.asked[2]["messages"][len(messages) :]
    assert [one["content"] for one in more] == ["Welcome", "Bye"]


@pytest.mark.parametrize(
    ("input", "threshold"),
    [(TURNS, 10_000), ([{"role": "user", "content": "word " * 50}] * 3, 20)],
    ids=["short", "only the user's messages"],
)
async def test_what_needs_no_compaction_has_none(asking: Asking, input: Any, threshold: int) -> None:
    script = asking.says(says("ok"))
    response = await asking.whole(input, **managed(threshold))
    assert [item["type"] for item in response["output"]] == ["message"] and len(script.asked) == 1


async def test_a_tool_loop_goes_on_after_it(asking: Asking) -> None:
    """What a function gave back is in the summary, whose model was told of it."""
    asking.says(calls(("c2", "get_weather", "{}")))
    first = await asking.whole([*TURNS, {"role": "user", "content": "And now?"}], tools=[WEATHER])
    output = {"type": "function_call_output", "call_id": "c2", "output": "hail"}
    script = asking.says(says(SUMMARY), says("Hail"))
    response = await asking.whole([output], tools=[WEATHER], previous_response_id=first["id"], **managed(20))
    assert "tool: hail" in script.asked[0]["messages"][1]["content"] and texts(response) == ["Hail"]
    assert {message["role"] for message in script.asked[1]["messages"]} == {"developer", "system", "user"}


@pytest.mark.parametrize(
    ("management", "param"),
    [
        ([{"type": "forgetting"}], "context_management[0].type"),
        ([{"type": "compaction"}], "context_management[0].compact_threshold"),
        ([{"type": "compaction", "compact_threshold": 0}], "context_management[0].compact_threshold"),
        ([{"type": "compaction", "compact_threshold": 9}] * 2, "context_management"),
    ],
)
async def test_a_management_that_nobody_knows_is_refused(asking: Asking, management: Any, param: str) -> None:
    refused = await asking.refused({"input": "Hi", "context_management": management})
    assert (refused["status"], refused["param"]) == (400, param), refused
