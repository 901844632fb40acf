"""Tools that run here in the turns of an agent: which ones, with which arguments, and the steps that they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import Upstream
from runtime.conformance.upstream.scripted import Script, calls, says
from tests.support.agents import begun, kinds
from tests.support.stacks import openai_at, serving
from tests.support.tool_groups import furnish_tools, group, toolbox

LOOKS = calls(("c1", "look", '{"query":"llamas"}'))
INFERENCE = ["step_start inference", "step_complete inference"]
TOOL = ["step_start tool_execution", "step_complete tool_execution"]


@pytest_asyncio.fixture
async def client(monkeypatch: pytest.MonkeyPatch, upstream: Upstream, tmp_path: Path) -> AsyncIterator[Client]:
    furnish_tools(monkeypatch)
    tools = toolbox(own=["look", "find"], other=["look"])
    providers = {"inference": [openai_at(upstream.url)], "tool_runtime": [tools]}
    groups = [group("builtin::own", own="own"), group("my/other", own="other")]
    run = run_config(providers=providers, registered_resources={"tool_groups": groups})
    async with serving(run, tmp_path) as served:
        yield served.client


def ran(turn: dict[str, Any]) -> list[Any]:
    """What the tools of a turn were asked: each tool, its group and its arguments."""
    steps = [step for step in turn["steps"] if step["step_type"] == "tool_execution"]
    told = [response["metadata"] for step in steps for response in step["tool_responses"]]
    return [(one["tool"], one["group"], one["kwargs"]) for one in told]


async def test_a_tool_that_runs_here_is_a_step(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(LOOKS, says("So."))
    session = await begun(client, toolgroups=["builtin::own"])
    events = await session.events()
    assert kinds(events) == ["turn_start", *INFERENCE, *TOOL, *INFERENCE, "turn_complete"]
    turn = events[-1]["turn"]
    first, tool, last = turn["steps"]
    [call] = first["model_response"]["tool_calls"]
    assert (call["tool_name"], call["arguments"]) == ("look", {"query": "llamas"})
    assert first["model_response"]["stop_reason"] == "end_of_message"
    assert tool["tool_calls"] == [call]
    [answer] = tool["tool_responses"]
    assert (answer["call_id"], answer["tool_name"], answer["content"]) == (call["call_id"], "look", "done")
    assert last["model_response"] == turn["output_message"]
    assert turn["output_message"] == {"role": "assistant", "content": "So.", "stop_reason": "end_of_turn"}
    moments = [moment for step in turn["steps"] for moment in (step["started_at"], step["completed_at"])]
    assert moments == sorted(moments)
    assert await session.get(f"/turn/{turn['turn_id']}") == turn


async def test_the_calls_of_one_answer_are_steps_behind_it(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(
        calls(("c1", "look", '{"query":"a"}'), ("c2", "find", '{"query":"b"}')), LOOKS, says("So.")
    )
    session = await begun(client, toolgroups=["builtin::own"])
    events = await session.events()
    told = kinds(events)
    assert told[:4] == ["turn_start", *INFERENCE, TOOL[0]] and told[-3:] == [*INFERENCE, "turn_complete"]
    turn = events[-1]["turn"]
    assert [step["step_type"] for step in turn["steps"]] == [
        "inference", "tool_execution", "tool_execution", "inference", "tool_execution", "inference",
    ]  # fmt: skip
    assert len(turn["steps"][0]["model_response"]["tool_calls"]) == 2
    assert ran(turn) == [
        ("look", "builtin::own", {"query": "a"}),
        ("find", "builtin::own", {"query": "b"}),
        ("look", "builtin::own", {"query": "llamas"}),
    ]
    assert await session.get(f"/turn/{turn['turn_id']}") == turn
    assert len({step["step_id"] for step in turn["steps"]}) == 6


async def test_a_turn_has_tools_of_its_own(client: Client, upstream: Upstream) -> None:
    """`group/tool` is one tool of a group; a group may have a slash in its name."""
    upstream.misbehaves = script = Script(calls(("c1", "find", '{"query":"a"}')), says("So."))
    session = await begun(client, toolgroups=["my/other"])
    turn = await session.turn(toolgroups=[{"name": "builtin::own/find", "args": {"limit": 1}}])
    assert [one["function"]["name"] for one in script.asked[0]["tools"]] == ["look", "find"]
    assert ran(turn) == [("find", "builtin::own", {"query": "a", "limit": 1})]


async def test_what_may_be_a_key_of_a_tool_reaches_the_tool_alone(client: Client, upstream: Upstream) -> None:
    """It was shown to whoever sees the agent or its responses."""
    upstream.misbehaves = Script(LOOKS, says("So."))
    args = {"api_key": "sk-1", "limit": 1, "nested": {"token": "t-1", "url": "https://u:p@app.example/"}}
    groups = [{"name": "builtin::own", "args": args}, "builtin::own/find"]
    session = await begun(client, toolgroups=groups)
    turn = await session.turn(toolgroups=[{"name": "builtin::own/look", "args": args | {"limit": 2}}])
    assert ran(turn) == [("look", "builtin::own", {"query": "llamas", **args, "limit": 2})]
    shown = {"api_key": "********", "nested": {"token": "********", "url": "https://********@app.example/"}}
    [agent] = (await client.get("/v1/agents")).json()["data"]
    assert agent == (await client.get(f"/v1/agents/{session.agent}")).json()
    assert agent["agent_config"]["toolgroups"] == [{"name": "builtin::own", "args": {**shown, "limit": 1}}, groups[1]]
    [response] = (await client.get("/v1/responses")).json()["data"]
    assert [tool.get("args") for tool in response["tools"]] == [{**shown, "limit": 1}, None, {**shown, "limit": 2}]


async def test_tools_here_and_tools_of_the_client_are_called_at_once(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(calls(("c1", "ask", "{}"), ("c2", "look", '{"query":"a"}')), says("So."))
    session = await begun(client, toolgroups=["builtin::own"], client_tools=[{"name": "ask"}])
    events = await session.events()
    waiting = events[-1]["turn"]
    assert events[-1]["event_type"] == "turn_awaiting_input"
    assert {one["tool_name"] for one in waiting["output_message"]["tool_calls"]} == {"ask", "look"}
    assert [step["step_type"] for step in waiting["steps"]] == ["inference", "tool_execution"]
    answers = [{"call_id": "c1", "tool_name": "ask", "content": "Yes"}]
    path = f"/turn/{waiting['turn_id']}/resume"
    turn = (await session.events(path=path, tool_responses=answers))[-1]["turn"]
    assert [step["step_type"] for step in turn["steps"]] == [
        "inference", "tool_execution", "tool_execution", "inference",
    ]  # fmt: skip
    told = [one["content"] for one in upstream.seen[-1].json()["messages"] if one["role"] == "tool"]
    assert sorted(told) == ["Yes", "done"]
    assert await session.get(f"/turn/{turn['turn_id']}") == turn


async def test_the_model_may_not_go_on_for_ever(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = script = Script(LOOKS)
    session = await begun(client, toolgroups=["builtin::own"], max_infer_iters=3)
    turn = await session.turn()
    assert len(script.asked) == 3 and turn["output_message"]["stop_reason"] == "end_of_turn"
    assert await session.get(f"/turn/{turn['turn_id']}") == turn


@pytest.mark.parametrize(
    ("given", "name"),
    [("builtin::no", "builtin::no"), ("no/look", "no"), ("/", "/"), ("no/", "no/"), ("/look", "/look")],
)
async def test_an_unknown_group_is_named(client: Client, given: str, name: str) -> None:
    session = await begun(client, toolgroups=[given])
    answer = await client.post(f"{session.path}/turn", {"messages": [{"role": "user", "content": "Hi"}]})
    assert answer.status == 404 and f"`{name}`" in answer.error["message"]
    assert answer.error["param"] == "toolgroups"


async def test_a_call_that_makes_no_sense_is_a_step_too(client: Client, upstream: Upstream) -> None:
    """So that what the model says after it is the answer."""
    wrong, right = ("c1", "look", "{no"), ("c2", "find", '{"query":"b"}')
    upstream.misbehaves = Script(calls(wrong, right), LOOKS, says("So."))
    session = await begun(client, toolgroups=["builtin::own"])
    events = await session.events()
    turn = events[-1]["turn"]
    assert [step["step_type"] for step in turn["steps"]] == [
        "inference", "tool_execution", "tool_execution", "inference", "tool_execution", "inference",
    ]  # fmt: skip
    assert turn["output_message"] == {"role": "assistant", "content": "So.", "stop_reason": "end_of_turn"}
    [call] = turn["steps"][1]["tool_calls"]
    told = [one["delta"] for one in events if one["event_type"] == "step_progress"]
    states = [one["parse_status"] for one in told if one.get("tool_call") == call]
    assert states == ["failed", "in_progress"] and call["arguments"] == "{no"
    assert "Call `look` again" in turn["steps"][1]["tool_responses"][0]["content"]
    assert await session.get(f"/turn/{turn['turn_id']}") == turn
