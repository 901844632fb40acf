"""`file_search` of the Responses API over real stores: what the model reads, what it cites, and what is shown of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.vector_stores.asking import Asking
from tests.support.upstream import CHAT_MODEL
from tests.support.word_models import Models

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANY_DATABASE = True  # how a search is asked for and shown does not depend on it
TEXT = "Llamas are trimmed every eight weeks on soft ground."


def search_of(*stores: str, **facts: Any) -> dict[str, Any]:
    return {"type": "file_search", "vector_store_ids": [*stores], **facts}


async def answered(stores: Asking, *tools: dict[str, Any], **facts: Any) -> dict[str, Any]:
    body = {"model": CHAT_MODEL, "input": "How often?", "tools": [*tools], **facts}
    found: dict[str, Any] = await stores.done("POST", "/v1/responses", body)
    return found


async def test_the_answer_cites_what_was_found_and_shows_it_where_asked(stores: Asking, models: Models) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, TEXT, "hooves.txt")
    response = await answered(stores, search_of(store), include=["file_search_call.results"])
    call, message = response["output"]
    assert (call["type"], call["status"]) == ("file_search_call", "completed") and call["queries"]
    [result] = call["results"]
    assert (result["file_id"], result["filename"], result["text"]) == (file_id, "hooves.txt", TEXT)
    [part] = message["content"]
    assert TEXT in part["text"] and "\u3010" not in part["text"], "the model repeats what it read, without the marks"
    cited = part["annotations"]
    assert {(one["type"], one["file_id"], one["filename"]) for one in cited} == {
        ("file_citation", file_id, "hooves.txt")
    }
    assert part["text"][cited[-1]["index"] :].lstrip().startswith("hooves.txt"), "the mark stood before its name"
    told = models.prompts()[-1]
    assert "\u30101\u3011 hooves.txt" in told
    hidden = await answered(stores, search_of(store))
    assert hidden["output"][0]["results"] is None


async def test_streamed_it_tells_of_each_step(stores: Asking) -> None:
    store = await stores.store()
    await stores.attach(store, TEXT)
    body = {"model": CHAT_MODEL, "input": "How often?", "tools": [search_of(store)], "stream": True}
    answer = await stores.ask("POST", "/v1/responses", body)
    events = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: ")]
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds[:7] == [
        "created", "in_progress", "output_item.added", "file_search_call.in_progress", "file_search_call.searching",
        "file_search_call.completed", "output_item.done",
    ]  # fmt: skip
    assert "output_text.annotation.added" in kinds and kinds[-1] == "completed"
    text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    whole = events[-1]["response"]["output"][1]["content"][0]
    assert whole["text"] == text
    added = [event["annotation"] for event in events if event["type"].endswith("annotation.added")]
    assert whole["annotations"] == added


async def test_filters_and_several_stores_are_searched_as_the_tool_says(stores: Asking) -> None:
    first, second = await stores.store(), await stores.store()
    kept = await stores.attach(first, TEXT, "one.txt", attributes={"year": 2026})
    await stores.attach(first, TEXT, "two.txt", attributes={"year": 2020})
    other = await stores.attach(second, TEXT, "three.txt", attributes={"year": 2026})
    tool = search_of(first, second, filters={"type": "eq", "key": "year", "value": 2026}, max_num_results=5)
    response = await answered(stores, tool, include=["file_search_call.results"])
    assert {one["file_id"] for one in response["output"][0]["results"]} == {kept, other}
    fewer = await answered(stores, {**tool, "max_num_results": 1}, include=["file_search_call.results"])
    assert len(fewer["output"][0]["results"]) == 1


async def test_a_required_search_is_made_once(stores: Asking) -> None:
    store = await stores.store()
    await stores.attach(store, TEXT)
    for choice in ("required", {"type": "file_search"}):
        response = await answered(stores, search_of(store), tool_choice=choice)
        assert [item["type"] for item in response["output"]] == ["file_search_call", "message"]


async def test_a_store_that_is_not_there_is_a_call_that_failed(stores: Asking) -> None:
    response = await answered(stores, search_of("vs_none"))
    call, message = response["output"]
    assert (response["status"], call["status"]) == ("completed", "failed")
    assert "vs_none" in message["content"][0]["text"], "the model was told"


async def test_what_was_found_is_not_read_again_by_what_continues(stores: Asking, models: Models) -> None:
    store = await stores.store()
    await stores.attach(store, TEXT)
    response = await answered(stores, search_of(store))
    await stores.done(
        "POST", "/v1/responses", {"model": CHAT_MODEL, "input": "And?", "previous_response_id": response["id"]}
    )
    sent = models.calls("/chat/completions")[-1].json()["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]


async def test_two_searches_are_refused(stores: Asking) -> None:
    store = await stores.store()
    body = {"model": CHAT_MODEL, "input": "?", "tools": [search_of(store), search_of(store)]}
    error = await stores.refused(400, "POST", "/v1/responses", body)
    assert "`tools[1]` is a second `file_search`" in error["message"]
