"""Responses over a WebSocket, as OpenAI's guide has them: one after the other, the last one remembered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from runtime.conformance.upstream.scripted import says
from tests.conformance.responses.asking import Asking, kinds
from tests.conformance.responses.ways import Talk
from tests.support.raw_http import Listening
from tests.support.response_streams import check_types

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def talk(door: Listening) -> AsyncIterator[Talk]:
    async with connect(f"ws://127.0.0.1:{door.port}/v1/responses") as socket:
        yield Talk(socket)


def sent(asking: Asking) -> list[dict[str, Any]]:
    """What the model read last."""
    messages: list[dict[str, Any]] = asking.vendor.calls("/chat/completions")[-1].json()["messages"]
    return messages


async def test_the_events_are_those_of_a_stream(asking: Asking, talk: Talk) -> None:
    asking.says(says("One ", "two"), says("One ", "two"))
    events = await talk.turn()
    assert kinds(events) == kinds(await asking.streamed())
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert (await asking.kept(events[-1]["response"]["id"]))["status"] == "completed"


async def test_what_is_kept_nowhere_is_continued_on_the_connection_alone(asking: Asking, talk: Talk) -> None:
    asking.says(says("A"), says("B"), says("C"))
    first = (await talk.turn("1", store=False))[-1]["response"]["id"]
    second = (await talk.turn("2", store=False, previous_response_id=first))[-1]["response"]["id"]
    assert [message["content"] for message in sent(asking)] == ["1", "A", "2"]
    for response_id in (first, second):
        assert (await asking.client.get(f"/v1/responses/{response_id}")).status == 404
    [error] = await talk.turn("3", previous_response_id=first)
    assert (error["type"], error["status"], error["error"]["code"]) == ("error", 404, "previous_response_not_found")


async def test_after_a_new_connection_the_whole_history_brings_it_back(asking: Asking, door: Listening) -> None:
    asking.says(says("A"), says("B"))
    address = f"ws://127.0.0.1:{door.port}/v1/responses"
    async with connect(address) as socket:
        first = (await Talk(socket).turn("1", store=False))[-1]["response"]
    async with connect(address) as socket:
        talk = Talk(socket)
        [error] = await talk.turn("2", store=False, previous_response_id=first["id"])
        assert error["error"]["code"] == "previous_response_not_found"
        whole = [{"role": "user", "content": "1"}, *first["output"], {"role": "user", "content": "2"}]
        assert (await talk.turn(whole, store=False))[-1]["type"] == "response.completed"
        assert [message["content"] for message in sent(asking)] == ["1", "A", "2"]


async def test_one_that_fails_is_forgotten_with_what_it_continued(asking: Asking, talk: Talk) -> None:
    asking.says(says("A"), says("half", breaks="error"))
    first = (await talk.turn("1", store=False))[-1]["response"]["id"]
    failed = (await talk.turn("2", store=False, previous_response_id=first))[-1]
    assert failed["type"] == "response.failed"
    [error] = await talk.turn("3", store=False, previous_response_id=first)
    assert error["error"]["code"] == "previous_response_not_found"


async def test_a_kept_one_continues_one_that_is_not(asking: Asking, talk: Talk) -> None:
    asking.says(says("A"), says("B"), says("C"))
    first = (await talk.turn("1", store=False))[-1]["response"]["id"]
    second = (await talk.turn("2", previous_response_id=first))[-1]["response"]["id"]
    assert (await asking.whole("3", previous_response_id=second))["status"] == "completed"
    assert [message["content"] for message in sent(asking)] == ["1", "A", "2", "B", "3"]


async def test_without_generation_there_is_something_to_continue_and_no_output(asking: Asking, talk: Talk) -> None:
    asking.says(says("A"))
    before = len(asking.vendor.calls("/chat/completions"))
    events = await talk.turn("1", generate=False, store=False)
    assert kinds(events) == ["created", "in_progress", "completed"] and events[-1]["response"]["output"] == []
    assert len(asking.vendor.calls("/chat/completions")) == before
    await talk.turn("2", store=False, previous_response_id=events[-1]["response"]["id"])
    assert [message["content"] for message in sent(asking)] == ["1", "2"]


async def test_a_server_that_stops_says_so_with_the_next_number(asking: Asking, talk: Talk, door: Listening) -> None:
    asking.says(says("A"), says("Once ", breaks="wait"))
    await talk.turn()
    await talk.ask()
    events = [await talk.event()]
    while events[-1]["type"] != "response.output_text.delta":
        events.append(await talk.event())
    assert door.ongoing.end("the server is stopping") == 1
    error = await talk.event()
    assert (error["type"], error["code"], error["sequence_number"]) == ("error", "server_stopping", len(events))
    check_types(error)


async def test_a_message_that_does_not_fit_is_answered_and_the_talk_goes_on(asking: Asking, talk: Talk) -> None:
    asking.says(says("A"))
    [error] = await talk.turn([{"type": "nothing"}])
    assert (error["type"], error["status"]) == ("error", 400) and "nothing" in error["error"]["message"]
    check_types(error)
    [error] = await talk.turn(model="none")
    assert (error["status"], error["error"]["param"]) == (404, "model")
    check_types(error)
    assert (await talk.turn())[-1]["type"] == "response.completed"
