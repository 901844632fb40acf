"""`file_search` of the Responses API over real stores: what the model reads, what it cites, and what is shown of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from runtime.conformance.asgi import LIMIT_S
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL
from tests.conformance.vector_stores.asking import Asking
from tests.support.word_models import Models

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANY_DATABASE = True  # how a search is asked for and shown does not depend on it
LARGE_CHUNKS = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 0}}
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


@pytest.mark.parametrize(
    "facts", [{}, {"stream": True}, {"tool_choice": "required"}], ids=["auto", "stream", "required"]
)
async def test_a_store_that_is_not_there_is_refused_before_the_model_is_asked(
    stores: Asking, models: Models, facts: dict[str, Any]
) -> None:
    before = len(models.calls("/chat/completions"))
    body = {"model": CHAT_MODEL, "input": "?", "tools": [search_of(await stores.store(), "vs_none")], **facts}
    error = await stores.refused(404, "POST", "/v1/responses", body)
    assert (error["param"], error["code"]) == ("tools[0].vector_store_ids[1]", "vector_store_not_found")
    assert "`vs_none`" in error["message"] and "GET /v1/vector_stores" in error["message"]
    assert len(models.calls("/chat/completions")) == before


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


@pytest.mark.parametrize("is_first", [False, True])
async def test_a_function_with_the_name_of_the_search_is_refused(stores: Asking, is_first: bool) -> None:
    function = {"type": "function", "name": "file_search", "parameters": {"type": "object", "properties": {}}}
    tools = [search_of(await stores.store())]
    tools.insert(0 if is_first else 1, function)
    body = {"model": CHAT_MODEL, "input": "?", "tools": tools}
    error = await stores.refused(400, "POST", "/v1/responses", body)
    assert "`tools[1]` has the name `file_search`, as another tool has" in error["message"]
    assert error["param"] == "tools"


@pytest.mark.parametrize("streams", [False, True])
async def test_more_than_the_model_reads_is_said_to_be_the_search_s(stores: Asking, streams: bool) -> None:
    """The request was short enough: it is what was found that is too long."""
    store = await stores.store(chunking_strategy=LARGE_CHUNKS)
    await stores.attach(store, "Llamas are trimmed often. " * 1000)
    body = {"model": CHAT_MODEL, "input": "How often?", "tools": [search_of(store)], "stream": streams}
    answer = await stores.ask("POST", "/v1/responses", body)
    told = answer.body if not streams else answer.body.rstrip().rpartition(b"data: ")[2]
    response = json.loads(told)["response"] if streams else json.loads(told)
    assert response["status"] == "failed" and response["error"]["code"] == "invalid_prompt"
    assert "With what the tools gave back, the conversation is too long" in response["error"]["message"]
    assert "`max_num_results`" in response["error"]["message"], "the hint is told too"
    assert "web_search" not in response["error"]["message"], "of what is among the request's tools"
    assert [item["status"] for item in response["output"]] == ["completed"]


async def test_older_turns_make_room_for_what_was_found(stores: Asking, models: Models) -> None:
    store = await stores.store()
    await stores.attach(store, TEXT)
    long = [{"role": "user", "content": "x" * 9_900}, {"role": "assistant", "content": "y"}]
    response = await answered(
        stores, search_of(store), input=[*long, {"role": "user", "content": "How often?"}], truncation="auto"
    )
    assert response["status"] == "completed" and response["output"][1]["type"] == "message"
    told = models.calls("/chat/completions")[-1].json()["messages"]
    assert [message["role"] for message in told] == ["user", "assistant", "tool"]


async def test_a_search_that_nobody_waits_for_any_more_is_incomplete(stores: Asking, models: Models) -> None:
    store = await stores.store()
    await stores.attach(store, TEXT)
    body = json.dumps({"model": CHAT_MODEL, "input": "?", "tools": [search_of(store)], "stream": True}).encode()
    async with models.holding(EMBEDDING_MODEL):
        call = stores.served.client.call(
            "POST", "/v1/responses", headers={"content-type": "application/json"}, body=body
        )
        await call.start()
        told = b""
        async with asyncio.timeout(LIMIT_S):
            while b"file_search_call.searching" not in told:
                told += await call.chunk() or b""
            await models.is_waiting.wait()
        await call.leave()
    created = json.loads(told.split(b"\n")[1].removeprefix(b"data: "))["response"]
    kept = await stores.done("GET", f"/v1/responses/{created['id']}")
    assert kept["status"] == "incomplete" and kept["output"][0]["status"] == "incomplete"
