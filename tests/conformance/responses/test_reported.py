"""Answers and histories that public reports say broke others' responses: see `tests/reports.md`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runtime.conformance.upstream.scripted import Said, calls, says
from tests.conformance.responses.asking import MODEL, WEATHER, Asking, texts
from tests.conformance.responses.mcp_asking import Servers, mcp, told
from tests.support.examples.servers import tool

pytestmark = pytest.mark.asyncio(loop_scope="module")
Json = dict[str, Any]
LIMA = '{"city": "Lima"}'
SIGNED: Json = {"google": {"thought_signature": "c2lnbmVk"}}


def signed(name: str) -> Said:
    """A call with what Gemini wants back."""
    function = {"name": name, "arguments": LIMA}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function, "extra_content": SIGNED}
    return Said(deltas=[{"role": "assistant", "tool_calls": [call]}], whole={"role": "assistant", "tool_calls": [call]})


def given_back(asking: Asking) -> list[Any]:
    return [call.get("extra_content") for one in told(asking) for call in one.get("tool_calls") or ()]


@pytest.mark.parametrize("streams", [False, True])
async def test_a_signature_goes_back_with_a_call_that_was_run_here(
    asking: Asking, servers: Servers, streams: bool
) -> None:
    asking.says(signed("forecast"), says("Sunny"))
    await (asking.streamed if streams else asking.whole)(tools=[mcp()])
    assert given_back(asking) == [SIGNED]


@pytest.mark.parametrize("named", [False, True], ids=["items-sent-back", "response-named"])
async def test_a_signature_goes_back_with_a_call_that_the_caller_answers(asking: Asking, named: bool) -> None:
    for called in (WEATHER, {"type": "custom", "name": "get_weather"}):
        events, first = await asking.both(signed("get_weather"), tools=[called])
        [call] = first["output"]
        assert call["extra_content"] == SIGNED and events[-2]["item"]["extra_content"] == SIGNED
        output = {"type": f"{call['type']}_output", "call_id": "call_1", "output": "Sunny"}
        asking.says(says("It is sunny"))
        before = {"previous_response_id": first["id"]} if named else {}
        await asking.whole([output] if named else [call, output], tools=[called], **before)
        assert given_back(asking) == [SIGNED]


async def test_what_is_asked_again_is_told_again(asking: Asking) -> None:
    asking.says(says("Paris"))
    asked = [{"role": "user", "content": "The capital?"}]
    first = await asking.whole(asked, instructions="Be brief")
    await asking.whole(asked, instructions="Be a pirate", previous_response_id=first["id"])
    assert [(one["role"], one["content"]) for one in told(asking)] == [
        ("system", "Be a pirate"), ("user", "The capital?"), ("assistant", "Paris"), ("user", "The capital?"),
    ]  # fmt: skip


async def test_a_streamed_response_is_there_as_soon_as_it_has_ended(asking: Asking) -> None:
    asking.says(says("Hi"))
    first = (await asking.streamed())[-1]["response"]
    assert texts(await asking.whole("And?", previous_response_id=first["id"])) == ["Hi"]


async def test_what_was_cut_off_while_it_thought_is_incomplete_and_has_no_message(asking: Asking) -> None:
    _, response = await asking.both(Said(deltas=[{"reasoning_content": "Let me"}], finish="length"))
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert [item["type"] for item in response["output"]] == ["reasoning"]


FAILING = Said(deltas=[{"content": "Hi"}], breaks="error")
CUT = replace(FAILING, breaks="cut")


@pytest.mark.parametrize(
    "said", [says("Hi"), calls(("a", "get_weather", "{}")), FAILING, CUT], ids=["text", "call", "error", "cut"]
)
async def test_every_event_has_what_strict_clients_want(asking: Asking, said: Said) -> None:
    asking.says(said)
    events = await asking.streamed(tools=[WEATHER])
    assert [event["sequence_number"] for event in events] == [*range(len(events))]
    for event in events:
        assert "item" not in event or event["item"]["status"] in ("in_progress", "completed")
        if (response := event.get("response")) is not None:
            assert isinstance(response["output"], list) and {"error", "background", "incomplete_details"} <= {*response}


PNG = "data:image/png;base64,iVBORw0KGgo="


async def test_an_image_keeps_its_detail_wherever_it_stands(asking: Asking) -> None:
    image = {"type": "input_image", "image_url": PNG, "detail": "high"}
    call = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"}
    asking.says(says("A dot"))
    await asking.whole(
        [
            {"role": "user", "content": [{"type": "input_text", "text": "See:"}, image]},
            call,
            {"type": "function_call_output", "call_id": "c", "output": [image]},
        ]
    )
    shown = {"type": "image_url", "image_url": {"url": PNG, "detail": "high"}}
    assert told(asking)[0]["content"][1] == shown and told(asking)[2]["content"] == [shown]


@pytest.mark.parametrize("image", [{"image_url": {"url": PNG}}, {}, {"image_url": ""}], ids=["object", "none", "empty"])
async def test_an_image_in_another_form_is_not_passed_over(asking: Asking, image: Json) -> None:
    content = [{"type": "input_text", "text": "See:"}, {"type": "input_image", **image}]
    body = {"model": MODEL, "input": [{"role": "user", "content": content}]}
    answered = await asking.client.post("/v1/responses", body)
    assert (answered.status, answered.error["param"]) == (400, "input[0].content[1].image_url")


async def test_no_tool_has_an_empty_description(asking: Asking, servers: Servers) -> None:
    servers.tools["http://weather"].append(tool("bare").model_copy(update={"description": None}))
    servers.tools["http://weather"].append(tool("blank").model_copy(update={"description": ""}))
    asking.says(says("Hi"))
    await asking.whole(tools=[mcp(), {**WEATHER, "description": ""}])
    functions = [one["function"] for one in asking.vendor.calls("/chat/completions")[-1].json()["tools"]]
    described = {function["name"]: function.get("description") for function in functions}
    assert described == {
        "forecast": "Does forecast.", "book": "Does book.", "bare": None, "blank": None, "get_weather": None,
    }  # fmt: skip


async def test_an_item_that_is_sent_again_is_told_once_and_has_an_id_of_its_own(asking: Asking) -> None:
    asking.says(calls(("call_1", "get_weather", "{}")), says("Sunny"))
    conversation = (await asking.client.post("/v1/conversations", {})).json()["id"]
    [call] = (await asking.whole(conversation=conversation, tools=[WEATHER]))["output"]
    output = {"type": "function_call_output", "call_id": "call_1", "output": "Sunny"}
    await asking.whole([call, output], conversation=conversation, tools=[WEATHER])
    assert [one["role"] for one in told(asking)] == ["user", "assistant", "tool"]
    assert len(told(asking)[1]["tool_calls"]) == 1
    items = (await asking.client.get(f"/v1/conversations/{conversation}/items")).json()["data"]
    assert len({item["id"] for item in items}) == len(items) == 5


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ('{"city', '{"unreadable":"{\\"city"}'),
        ("[1]", '{"unreadable":"[1]"}'),
        ("null", '{"unreadable":"null"}'),
        ("", "{}"),
        (" ", "{}"),
    ],
)
async def test_what_is_no_json_object_goes_back_as_one(
    asking: Asking, servers: Servers, written: str, sent: str
) -> None:
    asking.says(calls(("call_1", "forecast", written)), says("Sunny"))
    await asking.whole(tools=[mcp()])
    assert [call["function"]["arguments"] for call in told(asking)[1]["tool_calls"]] == [sent]
    call = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": written}
    await asking.whole([call, {"type": "function_call_output", "call_id": "c", "output": "Say a city"}])
    assert [call["function"]["arguments"] for call in told(asking)[0]["tool_calls"]] == [sent]


THOUGHT = [
    {"type": "reasoning.text", "text": "Ask it", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.encrypted", "data": "ZGF0YQ==", "id": "call_1", "index": 1},
]
PIECES = [
    [{"type": "reasoning.text", "text": "Ask", "signature": None, "format": "anthropic-claude-v1", "index": 0}],
    [{"type": "reasoning.text", "text": " it", "index": 0}],
    [{"type": "reasoning.text", "text": None, "signature": "c2ln", "index": 0}, THOUGHT[1]],
]


@pytest.mark.parametrize("streams", [False, True])
async def test_signed_thoughts_go_back_as_they_came(asking: Asking, servers: Servers, streams: bool) -> None:
    called = calls(("call_1", "forecast", LIMA))
    whole = called.message() | {"reasoning": "Ask it", "reasoning_details": THOUGHT}
    thought = [{"reasoning": "Ask it"}, *({"reasoning_details": pieces} for pieces in PIECES)]
    asking.says(replace(called, deltas=[*thought, *called.deltas], whole=whole), says("Sunny"))
    await (asking.streamed if streams else asking.whole)(tools=[mcp()])
    assert [one["reasoning_details"] for one in told(asking) if one["role"] == "assistant"] == [THOUGHT]


SAID_BEFORE: dict[str, Json] = {
    "thought-of-another-server": {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"},
    "thought-of-nulls": {"type": "reasoning", "summary": [], "content": None, "encrypted_content": None},
    "search-without-id": {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}},
    "search-of-nothing": {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": None},
}


@pytest.mark.parametrize("name", SAID_BEFORE)
async def test_items_of_other_servers_are_read_as_far_as_they_can_be(asking: Asking, name: str) -> None:
    asking.says(says("Hi"))
    user = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    await asking.whole([user, SAID_BEFORE[name], user])
    assert [(one["role"], one["content"]) for one in told(asking)] == [("user", "Hi")] * 2
