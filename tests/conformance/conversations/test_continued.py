"""Responses in a conversation: what the model reads of it, and what they add to it, however they end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.conformance.asgi import LIMIT_S
from runtime.conformance.upstream.scripted import calls, says
from tests.conformance.conversations.talking import Talking, said, texts_of
from tests.conformance.responses.asking import MODEL, WEATHER, kinds, texts

pytestmark = pytest.mark.asyncio(loop_scope="module")
CALLS = calls(("call_1", "get_weather", '{"city": "Rome"}'))
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("store", [False, True])
async def test_a_response_adds_what_it_was_asked_and_what_it_answered(
    talking: Talking, streams: bool, store: bool
) -> None:
    conversation = await talking.begun(said("Before"))
    talking.says(CALLS, says("It ", "rains"))
    asked: dict[str, Any] = {"conversation": conversation, "store": store, "tools": [WEATHER]}

    async def answer(input: Any, **facts: Any) -> dict[str, Any]:
        if not streams:
            return await talking.whole(input, **asked | facts)
        found: dict[str, Any] = (await talking.streamed(input, **asked | facts))[-1]["response"]
        return found

    first = await answer("Weather?")
    second = await answer([OUTPUT], conversation={"id": conversation}, instructions="Be brief")
    assert [one["conversation"] for one in (first, second)] == [{"id": conversation}] * 2
    items = await talking.walked(conversation)
    assert [item["type"] for item in items] == [
        "message", "message", "function_call", "function_call_output", "message",
    ]  # fmt: skip
    assert items[2] == first["output"][0] and items[4] == second["output"][0]
    assert texts_of([items[0], items[1], items[4]]) == ["Before", "Weather?", "It rains"]
    assert "Be brief" not in str(items)


async def test_the_model_reads_the_same_by_whichever_way_the_history_is_named(talking: Talking) -> None:
    script = talking.says(CALLS, says("It rains"), says("Bye"))
    turns: list[Any] = [[said("Weather?"), said("Now?")], [OUTPUT], "Thanks"]
    conversation = await talking.begun()
    for turn in turns:
        last = await talking.whole(turn, conversation=conversation, tools=[WEATHER])
    by_conversation = script.asked
    script = talking.says(CALLS, says("It rains"), says("Bye"))
    previous: dict[str, Any] = {}
    for turn in turns:
        made = await talking.whole(turn, tools=[WEATHER], **previous)
        previous = {"previous_response_id": made["id"]}
    assert script.asked == by_conversation
    script = talking.says(CALLS, says("It rains"), says("Bye"))
    given: list[Any] = []
    for turn in turns:
        given += turn if isinstance(turn, list) else [said(turn)]
        given += (await talking.whole(given, tools=[WEATHER], store=False))["output"]
    assert script.asked == by_conversation

    script = talking.says(says("End"))
    await talking.whole("And?", previous_response_id=last["id"])
    await talking.whole("And?", conversation=conversation)
    assert script.asked[0] == script.asked[1], "what was made in a conversation can be continued by its id too"


async def test_what_was_added_later_is_not_what_an_earlier_response_was_made_from(talking: Talking) -> None:
    conversation = await talking.begun(said("First"))
    talking.says(says("Yes"))
    made = await talking.whole("Second", conversation=conversation)
    await talking.added(conversation, said("Later"))
    path = f"/v1/responses/{made['id']}/input_items?order=asc"
    assert texts_of((await talking.client.get(path)).json()["data"]) == ["First", "Second"]
    script = talking.says(says("Well"))
    await talking.whole("Third", previous_response_id=made["id"])
    assert [message["content"] for message in script.asked[0]["messages"]] == ["First", "Second", "Yes", "Third"]
    await talking.done("DELETE", f"/{conversation}")
    error = await talking.refused({"input": "Fourth", "previous_response_id": made["id"]})
    assert error["status"] == 404 and conversation in error["message"]


async def test_references_are_found_in_the_conversation(talking: Talking) -> None:
    conversation = await talking.begun(said("Say this again", id="msg_again"))
    script = talking.says(says("Again"))
    await talking.whole([{"type": "item_reference", "id": "msg_again"}], conversation=conversation)
    assert [message["content"] for message in script.asked[0]["messages"]] == ["Say this again"] * 2
    items = await talking.walked(conversation)
    assert texts_of(items) == ["Say this again", "Say this again", "Again"]
    assert len({item["id"] for item in items}) == 3, "what comes again has an id of its own"
    await talking.whole([said("one", id="msg_1"), said("two", id="msg_1")], conversation=conversation)
    assert texts_of((await talking.page(conversation, limit=3))["data"]) == ["Again", "two", "one"]


async def test_what_fails_adds_nothing(talking: Talking) -> None:
    conversation = await talking.begun(said("Before"))
    talking.says(says("Once ", "upon", breaks="error"))
    events = await talking.streamed("Tell", conversation=conversation)
    assert kinds(events)[-1] == "failed"
    answered = await talking.client.post(
        "/v1/responses", {"model": MODEL, "input": "Tell", "conversation": conversation}
    )
    assert answered.status >= 500
    assert texts_of(await talking.walked(conversation)) == ["Before"]


async def test_what_is_incomplete_is_added_as_far_as_it_came(talking: Talking) -> None:
    conversation = await talking.begun()
    talking.says(says("Once ", "upon", finish="length"))
    await talking.whole("Tell", conversation=conversation)
    talking.vendor.misbehaves = None
    talking.vendor.gate.clear()
    call = talking.client.call(
        "POST", "/v1/responses", headers={"content-type": "application/json"},
        body=b'{"model": "%b", "input": "More", "conversation": "%b", "stream": true}'
        % (MODEL.encode(), conversation.encode()),
    )  # fmt: skip
    await call.start()
    async with asyncio.timeout(LIMIT_S):
        await talking.vendor.waiting_at_gate.wait()
        await call.leave()
        await call.task
    items = await talking.walked(conversation)
    assert texts_of(items)[:3] == ["Tell", "Once upon", "More"]
    assert [item["status"] for item in items[:2]] == ["completed", "incomplete"]


@pytest.mark.parametrize("streams", [False, True])
async def test_a_conversation_that_goes_meanwhile_fails_the_response(talking: Talking, streams: bool) -> None:
    conversation = await talking.begun(said("Before"))
    script = talking.says(says("Yes"))

    async def deleting(request: Any) -> Any:
        if request.method == "POST":
            await talking.done("DELETE", f"/{conversation}")
        return await script(request)

    talking.vendor.misbehaves = deleting
    if streams:
        events = await talking.streamed("Hi", conversation=conversation)
        assert kinds(events)[-1] == "failed" and "completed" not in kinds(events)
        failed = events[-1]["response"]
    else:
        failed = await talking.whole("Hi", conversation=conversation)
    assert failed["status"] == "failed" and conversation in failed["error"]["message"]
    assert texts(failed) == ["Yes"], "what was answered is not lost"
    kept = await talking.kept(failed["id"])
    assert {name: kept[name] for name in failed} == failed


async def test_in_the_background_it_is_added_before_the_end_is_told(talking: Talking) -> None:
    for streams in (False, True):
        conversation = await talking.begun(said("Before"))
        talking.says(says("In ", "time"))
        body = {"model": MODEL, "input": "Hi", "conversation": conversation, "background": True, "stream": streams}
        answered = await talking.client.post("/v1/responses", body)
        assert answered.status == 200, answered.body
        if not streams:
            response = answered.json()
            async with asyncio.timeout(LIMIT_S):
                while response["status"] in ("queued", "in_progress"):
                    response = await talking.kept(response["id"])
            assert texts(response) == ["In time"]
        assert texts_of(await talking.walked(conversation)) == ["Before", "Hi", "In time"]


async def test_what_is_wrong_with_a_conversation_is_told(talking: Talking) -> None:
    for named in ("conv_none", {"id": "conv_none"}):
        error = await talking.refused({"input": "Hi", "conversation": named})
        assert (error["status"], error["code"]) == (404, "conversation_not_found") and "`conv_none`" in error["message"]
        assert error["param"] == "conversation"
    error = await talking.refused({"input": "Hi", "conversation": "conv_1", "previous_response_id": "resp_1"})
    assert error["status"] == 400 and "`previous_response_id` and `conversation`" in error["message"]
