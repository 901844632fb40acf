"""`tool_group`: what the model is told of a group's tools, what these are called with, and what is shown of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import Upstream
from runtime.conformance.upstream.scripted import calls, says
from tests.conformance.responses.asking import MODEL, WEATHER, Asking, kinds
from tests.conformance.tool_runtime.servers import PAGES, tool_server
from tests.support.mcp_server import mcp_server
from tests.support.stacks import openai_at
from tests.support.tool_groups import furnish_tools, group, toolbox

GROUP: dict[str, Any] = {"type": "tool_group", "tool_group": "mine"}
LIMIT_S = 30.0
ASKS = calls(("call_1", "look", '{"query":"llamas"}'))


@pytest_asyncio.fixture
async def asking(monkeypatch: pytest.MonkeyPatch, upstream: Upstream, tmp_path: Path) -> AsyncIterator[Asking]:
    furnish_tools(monkeypatch)
    providers = {
        "inference": [openai_at(upstream.url)],
        "tool_runtime": [toolbox(own=["look", "find"], other=["look"], asleep=None)],
    }
    groups = [group("mine", own="own"), group("mcp::other", own="other"), group("asleep", own="asleep")]
    run = run_config(providers=providers, registered_resources={"tool_groups": groups})
    async with serving(run, tmp_path) as served:
        yield Asking(served.client, upstream)


def told(script: Any, place: int = 0) -> dict[str, Any]:
    """The functions that the model was told of, by name."""
    return {one["function"]["name"]: one["function"] for one in script.asked[place]["tools"]}


async def test_the_model_calls_the_tools_of_a_group(asking: Asking) -> None:
    script = asking.says(ASKS, says("So."))
    events = await asking.streamed(tools=[GROUP])
    response = events[-1]["response"]
    call, message = response["output"]
    assert (call["type"], call["status"], call["tool_group"], call["name"]) == (
        "tool_group_call", "completed", "mine", "look",
    )  # fmt: skip
    assert (call["arguments"], call["output"], call["error"]) == ('{"query":"llamas"}', "done", None)
    assert call["metadata"]["kwargs"] == {"query": "llamas"} and call["metadata"]["group"] == "mine"
    assert call["calls_in_answer"] == 1 and call["started_at"] <= call["completed_at"]
    assert kinds(events)[2:6] == [
        "output_item.added", "tool_group_call.in_progress", "tool_group_call.completed", "output_item.done",
    ]  # fmt: skip
    assert set(told(script)) == {"look", "find"} and message["type"] == "message"
    assert script.asked[1]["messages"][-1]["content"] == "done"
    assert (await asking.kept(response["id"]))["output"] == response["output"]


async def test_a_later_response_reads_what_a_tool_gave_back(asking: Asking) -> None:
    asking.says(ASKS, says("So."))
    first = await asking.whole(tools=[GROUP])
    script = asking.says(says("Well."))
    await asking.whole("And?", previous_response_id=first["id"], tools=[GROUP])
    called, answer = script.asked[0]["messages"][1:3]
    assert called["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"query":"llamas"}'}
    assert (answer["role"], answer["content"]) == ("tool", "done")


async def test_arguments_that_each_call_has_are_not_the_model_s(asking: Asking) -> None:
    script = asking.says(calls(("call_1", "look", '{"query":"llamas","limit":9}')), says("So."))
    response = await asking.whole(tools=[{**GROUP, "args": {"limit": 1, "where": "here"}}])
    schema = told(script)["look"]["parameters"]
    assert set(schema["properties"]) == {"query"} and schema["required"] == ["query"]
    assert response["output"][0]["metadata"]["kwargs"] == {"query": "llamas", "limit": 1, "where": "here"}
    assert "where" not in response["output"][0]["arguments"]


async def test_two_groups_are_told_apart(asking: Asking) -> None:
    script = asking.says(calls(("call_1", "mcp__other__look", '{"query":"a"}')), says("So."))
    response = await asking.whole(tools=[GROUP, {**GROUP, "tool_group": "mcp::other"}])
    assert set(told(script)) == {"mine__look", "find", "mcp__other__look"}
    assert response["output"][0]["metadata"]["group"] == "mcp::other"


async def test_of_two_of_a_tool_the_later_one_counts(asking: Asking) -> None:
    script = asking.says(ASKS, says("So."))
    response = await asking.whole(tools=[GROUP, {**GROUP, "allowed_tools": ["look"], "args": {"limit": 5}}])
    assert set(told(script)) == {"look", "find"}
    assert response["output"][0]["metadata"]["kwargs"] == {"query": "llamas", "limit": 5}


async def test_calls_of_one_answer_say_how_many_they_are(asking: Asking) -> None:
    asking.says(calls(("c1", "look", '{"query":"a"}'), ("c2", "find", '{"query":"b"}')), says("So."))
    response = await asking.whole(tools=[GROUP])
    assert [item.get("calls_in_answer") for item in response["output"]] == [2, 2, None]


async def test_arguments_that_make_no_sense_are_said_to_the_model(asking: Asking) -> None:
    script = asking.says(calls(("call_1", "look", "{no")), calls(("call_2", "look", "{no")), says("So."))
    response = await asking.whole(tools=[GROUP])
    assert "Call `look` again" in script.asked[1]["messages"][-1]["content"]
    first, second, _ = response["output"]
    assert [item.get("status") for item in response["output"]] == ["failed", "failed", "completed"]
    assert all(call["error"].startswith("The arguments cannot be read") for call in (first, second))
    assert "again" in first["error"] and "again" not in second["error"]


async def test_a_tool_must_be_called_by_its_name(asking: Asking) -> None:
    script = asking.says(ASKS, says("So."))
    await asking.whole(tools=[GROUP, WEATHER], tool_choice={"type": "tool_group", "name": "look"})
    assert script.asked[0]["tool_choice"] == {"type": "function", "function": {"name": "look"}}


async def test_a_choice_may_name_the_group(asking: Asking) -> None:
    other = {**GROUP, "tool_group": "mcp::other"}
    script = asking.says(ASKS, says("So."))
    choice = {"type": "tool_group", "tool_group": "mcp::other"}
    response = await asking.whole(tools=[GROUP, other], tool_choice=choice)
    assert script.asked[0]["tool_choice"] == {"type": "function", "function": {"name": "mcp__other__look"}}
    assert response["tool_choice"] == choice
    await asking.whole(tools=[GROUP, other], tool_choice={"type": "allowed_tools", "tools": [GROUP]})
    allowed = script.asked[-1]["tool_choice"]["allowed_tools"]["tools"]
    assert [one["function"]["name"] for one in allowed] == ["mine__look", "find"]
    error = await asking.refused({"input": "Hi", "tools": [GROUP], "tool_choice": choice})
    assert (error["status"], error["param"]) == (400, "tool_choice") and "`mcp::other`" in error["message"]


async def test_items_that_come_again_say_the_same_as_their_response(asking: Asking) -> None:
    script = asking.says(ASKS, says("So."), says("Well."))
    first = await asking.whole(tools=[GROUP])
    await asking.whole("And?", previous_response_id=first["id"], tools=[GROUP])
    items = [{"role": "user", "content": "Hi"}, *first["output"], {"role": "user", "content": "And?"}]
    await asking.whole(items, tools=[GROUP])
    assert script.asked[-1]["messages"] == script.asked[-2]["messages"]


async def test_no_more_calls_are_made_than_the_request_allows(asking: Asking) -> None:
    script = asking.says(calls(("c1", "look", '{"query":"a"}'), ("c2", "look", '{"query":"b"}')), says("So."))
    response = await asking.whole(tools=[GROUP], max_tool_calls=1)
    assert [item["type"] for item in response["output"]] == ["tool_group_call", "message"]
    assert script.asked[1]["messages"][-1]["content"] == "no more calls are allowed"


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"background": True, "stream": True}])
async def test_a_tool_is_called_with_the_caller_s_key(
    fields: dict[str, Any], upstream: Upstream, tmp_path: Path
) -> None:
    async with tool_server("tavily-search") as web:
        search = {"provider_id": "tavily", "provider_type": "remote::tavily-search", "config": {"base_url": web.url}}
        providers = {"inference": [openai_at(upstream.url)], "tool_runtime": [search]}
        async with serving(run_config(providers=providers), tmp_path) as served:
            asking = Asking(served.client, upstream)
            asking.says(calls(("call_1", "web_search", '{"query":"llamas"}')), says("So."))
            body = {
                "model": MODEL,
                "input": "Hi",
                "tools": [{"type": "tool_group", "tool_group": "builtin::websearch"}],
            }
            headers = {"x-llamastack-provider-data": '{"tavily_search_api_key": "of-the-caller"}'}
            answer = await asking.client.post("/v1/responses", {**body, **fields}, headers=headers)
            assert answer.status == 200 and PAGES[0][2] in answer.body.decode(), answer.body
            assert web.keys == ["of-the-caller"] and b"of-the-caller" not in answer.body


async def test_a_server_of_a_group_says_what_fails(upstream: Upstream, tmp_path: Path) -> None:
    async with mcp_server() as server:
        providers = {
            "inference": [openai_at(upstream.url)],
            "tool_runtime": [{"provider_id": "mcp", "provider_type": "remote::model-context-protocol"}],
            "connectors": [{"provider_id": "builtin", "provider_type": "inline::builtin"}],
        }
        sums = {"toolgroup_id": "mcp::sums", "provider_id": "mcp", "mcp_endpoint": {"uri": server.url}}
        run = run_config(providers=providers, registered_resources={"tool_groups": [sums]})
        async with serving(run, tmp_path) as served:
            asking = Asking(served.client, upstream)
            made = [("c1", "add", '{"a": 1, "b": 2}'), ("c2", "fails", "{}"), ("c3", "picture", "{}")]
            script = asking.says(calls(*made), says("Well."))
            response = await asking.whole(tools=[{"type": "tool_group", "tool_group": "mcp::sums"}])
            added, failed, picture, _ = response["output"]
            assert [one["status"] for one in (added, failed, picture)] == ["completed", "failed", "completed"]
            assert "the llama is asleep" in failed["error"] and picture["output"] == "a llama\n[image, not shown]"
            told = [message["content"] for message in script.asked[1]["messages"][-3:]]
            assert told == ["3", f"The call failed: {failed['error']}", picture["output"]]
            assert server.ran.count("add") == 1


@pytest.mark.parametrize(
    ("tool", "status", "words"),
    [
        ({"tool_group": "yours"}, 404, "such as `mine`"),
        ({"tool_group": "asleep"}, 503, "The tools of the tool group `asleep` cannot be listed: the server of"),
        ({"allowed_tools": ["nose"]}, 400, "The tool group `mine` has no tool `nose`"),
        ({"colour": "green"}, 400, "colour"),
    ],
)
async def test_a_group_that_cannot_be_offered_is_named(
    asking: Asking, tool: dict[str, Any], status: int, words: str
) -> None:
    error = await asking.refused({"input": "Hi", "tools": [{**GROUP, **tool}]})
    assert error["status"] == status and words in error["message"], error
    assert error["param"].startswith("tools")


ARGS = {"limit": 1, "api_key": "a-key-of-a-tool"}


def in_files(folder: Path, word: str) -> bool:
    return any(word.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_what_may_be_a_key_reaches_the_tool_alone(
    monkeypatch: pytest.MonkeyPatch, upstream: Upstream, tmp_path: Path
) -> None:
    """It is not shown, and not on a disk, unless the tool gives it back."""
    furnish_tools(monkeypatch)
    providers = {"inference": [openai_at(upstream.url)], "tool_runtime": [toolbox(own=["look"])]}
    groups = {"tool_groups": [group("mine", own="own")]}
    run = run_config(providers=providers, registered_resources=groups, persistent=True)
    async with serving(run, tmp_path) as served:
        asking = Asking(served.client, upstream)
        asking.says(says("So."))
        body = {"model": MODEL, "input": "A question", "background": True, "tools": [{**GROUP, "args": ARGS}]}
        response = (await served.client.post("/v1/responses", body)).json()
        assert response["tools"] == [{**GROUP, "args": {"limit": 1, "api_key": "********"}}]
        async with asyncio.timeout(LIMIT_S):
            while (now := await asking.kept(response["id"]))["status"] in ("queued", "in_progress"):
                await asyncio.sleep(0.01)
        assert now["status"] == "completed" and now["tools"] == response["tools"]
        assert in_files(tmp_path, "A question") and not in_files(tmp_path, "a-key-of-a-tool")
        asking.says(ASKS, says("So."))
        whole = await asking.whole(tools=[{**GROUP, "args": ARGS}])
        assert whole["output"][0]["metadata"]["kwargs"] == {"query": "llamas", **ARGS}
