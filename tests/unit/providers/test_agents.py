"""Agents of llama-stack before 0.4: what the model is asked in a turn, and what its steps and events are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.conformance.asgi import Client
from runtime.conformance.upstream import Upstream
from runtime.conformance.upstream.scripted import Script, calls, says
from runtime.storage.sql import paging
from tests.support import at_vendor
from tests.support.agents import MODEL, USER, begun, kinds

pytestmark = pytest.mark.asyncio(loop_scope="module")
upstream, client, new_client = at_vendor.upstream, at_vendor.client, at_vendor.new_client


async def refused(client: Client, path: str, body: dict[str, Any] | None = None, *, status: int) -> dict[str, Any]:
    """The error of a request that is not done."""
    answer = await (client.get(path) if body is None else client.post(path, body))
    assert answer.status == status, answer.body
    error: dict[str, Any] = answer.json()["error"]
    return error


def asked(upstream: Upstream) -> dict[str, Any]:
    """What the vendor was asked last."""
    body: dict[str, Any] = upstream.seen[-1].json()
    return body


async def test_a_turn_is_what_the_model_said(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(says("Gr", "een"))
    session = await begun(client)
    turn = await session.turn()
    said = {"role": "assistant", "content": "Green", "stop_reason": "end_of_turn"}
    assert turn["output_message"] == said
    assert [(step["step_type"], step["model_response"]) for step in turn["steps"]] == [("inference", said)]
    assert turn["input_messages"] == [USER] and turn["output_attachments"] == []
    assert turn["started_at"] <= turn["steps"][0]["started_at"] <= turn["steps"][0]["completed_at"]
    assert asked(upstream)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Name a colour"},
    ]
    assert asked(upstream)["temperature"] == 0


async def test_a_turn_is_shown_as_it_was_told(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(says("Gr", "een"))
    session = await begun(client)
    events = await session.events()
    assert kinds(events) == ["turn_start", "step_start inference", "step_complete inference", "turn_complete"]
    assert "".join(one["delta"]["text"] for one in events if one["event_type"] == "step_progress") == "Green"
    turn = events[-1]["turn"]
    assert events[0]["turn_id"] == turn["turn_id"] and events[-2]["step_details"] == turn["steps"][0]
    assert await session.get(f"/turn/{turn['turn_id']}") == turn
    whole = await session.get()
    assert (whole["session_name"], whole["turns"]) == ("one", [turn])
    step = turn["steps"][0]
    assert await session.get(f"/turn/{turn['turn_id']}/step/{step['step_id']}") == {"step": step}


async def test_a_turn_goes_on_with_those_before(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(says("Green"), says("Blue"))
    session = await begun(client)
    first = await session.turn()
    second = await session.turn({"role": "user", "content": "Another", "context": "It is May."})
    said = [one["content"] for one in asked(upstream)["messages"][1:]]
    assert said == ["Name a colour", "Green", "Another\nIt is May."]
    assert [one["turn_id"] for one in (await session.get())["turns"]] == [first["turn_id"], second["turn_id"]]
    only = await session.get(f"?turn_ids={second['turn_id']}")
    assert only["turns"] == [second]


WEATHER = {
    "name": "get_weather",
    "description": "Weather.",
    "parameters": [{"name": "city", "parameter_type": "str", "description": "Where.", "required": True}],
    "metadata": {},
    "tool_prompt_format": "python_list",
}
RESULT = {"call_id": "c1", "tool_name": "get_weather", "content": "Sunny", "metadata": {"from": "the sky"}}


async def test_a_turn_waits_for_the_tools_of_the_client(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(calls(("c1", "get_weather", '{"city":"Oslo"}')), says("It is sunny"))
    session = await begun(client, client_tools=[WEATHER])
    events = await session.events()
    assert kinds(events) == ["turn_start", "step_start inference", "step_complete inference", "turn_awaiting_input"]
    [function] = [one["function"] for one in asked(upstream)["tools"]]
    assert function["parameters"] == {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Where."}},
        "required": ["city"],
    }
    pieces = [one["delta"] for one in events if one["event_type"] == "step_progress"]
    assert [one["parse_status"] for one in pieces][:2] == ["started", "in_progress"]
    call = {
        "call_id": "c1",
        "tool_name": "get_weather",
        "arguments": {"city": "Oslo"},
        "arguments_json": '{"city":"Oslo"}',
    }
    assert pieces[-1] == {"type": "tool_call", "tool_call": call, "parse_status": "succeeded"}
    waiting = events[-1]["turn"]
    assert waiting["output_message"]["tool_calls"] == [call]
    assert waiting["output_message"]["stop_reason"] == "end_of_message" and waiting["completed_at"] is None
    assert await session.get(f"/turn/{waiting['turn_id']}") == waiting

    resumed = await session.events(path=f"/turn/{waiting['turn_id']}/resume", tool_responses=[RESULT])
    assert kinds(resumed) == [
        "step_start tool_execution", "step_complete tool_execution",
        "step_start inference", "step_complete inference", "turn_complete",
    ]  # fmt: skip
    assert asked(upstream)["messages"][-1] == {"role": "tool", "tool_call_id": "c1", "content": "Sunny"}
    turn = resumed[-1]["turn"]
    assert turn["turn_id"] == waiting["turn_id"] and turn["output_message"]["content"] == "It is sunny"
    assert [step["step_type"] for step in turn["steps"]] == ["inference", "tool_execution", "inference"]
    assert (turn["steps"][1]["tool_calls"], turn["steps"][1]["tool_responses"]) == ([call], [RESULT])
    assert turn["steps"][0] == waiting["steps"][0]
    assert await session.get(f"/turn/{turn['turn_id']}") == turn


async def test_a_whole_turn_goes_on_too(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(calls(("c1", "get_weather", "{}")), says("Sunny"))
    session = await begun(client, client_tools=[WEATHER])
    waiting = await session.turn()
    answer = await client.post(f"{session.path}/turn/{waiting['turn_id']}/resume", {"tool_responses": [RESULT]})
    turn = answer.json()
    assert turn["output_message"]["content"] == "Sunny" and turn == await session.get(f"/turn/{turn['turn_id']}")


async def test_the_model_is_asked_as_often_as_it_may_be(client: Client, upstream: Upstream) -> None:
    """Its client runs no tools of a message that ends the turn."""
    upstream.misbehaves = Script(calls(("c1", "get_weather", "{}")))
    session = await begun(client, client_tools=[WEATHER], max_infer_iters=2)
    waiting = (await session.events())[-1]["turn"]
    events = await session.events(path=f"/turn/{waiting['turn_id']}/resume", tool_responses=[RESULT])
    assert events[-1]["event_type"] == "turn_complete"
    assert events[-1]["turn"]["output_message"]["stop_reason"] == "end_of_turn"


async def test_another_turn_says_that_calls_were_not_answered(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(calls(("c1", "get_weather", "{}"), ("c2", "get_weather", "{}")), says("Well"))
    session = await begun(client, client_tools=[WEATHER])
    waiting = await session.turn()
    await session.turn({"role": "tool", "call_id": "c2", "content": "Sunny"}, USER)
    told = [(one["tool_call_id"], one["content"]) for one in asked(upstream)["messages"] if one["role"] == "tool"]
    assert sorted(told) == [("c1", "This call was not answered."), ("c2", "Sunny")]
    error = await refused(
        client, f"{session.path}/turn/{waiting['turn_id']}/resume", {"tool_responses": [RESULT]}, status=409
    )
    assert "does not wait" in error["message"]


@pytest.mark.parametrize(
    ("messages", "place", "words"),
    [
        ([{"role": "tool", "call_id": "c9", "content": "Sunny"}], "messages[0]", "is none that waits for an answer"),
        ([USER, {"role": "tool", "call_id": "c1", "content": "Sunny"}] * 2, "messages[3]", "is answered twice"),
    ],
)
async def test_an_answer_of_a_new_turn_is_to_a_call_that_waits(
    client: Client, upstream: Upstream, messages: list[Any], place: str, words: str
) -> None:
    upstream.misbehaves = Script(calls(("c1", "get_weather", "{}")))
    session = await begun(client, client_tools=[WEATHER])
    await session.turn()
    error = await refused(client, f"{session.path}/turn", {"messages": messages}, status=400)
    assert error["param"] == f"{place}.call_id" and words in error["message"] and "`c1`" in error["message"]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([{**RESULT, "call_id": "c9"}], "`tool_responses[0]`: the call `c9` is none that waits for an answer"),
        ([RESULT, RESULT], "`tool_responses[1]`: the call `c1` is answered twice"),
        ([RESULT], "`tool_responses` has no answer to the call `c2` of `get_weather`"),
    ],
)
async def test_each_call_is_answered_once(
    client: Client, upstream: Upstream, answers: list[dict[str, Any]], words: str
) -> None:
    upstream.misbehaves = Script(calls(("c1", "get_weather", "{}"), ("c2", "get_weather", "{}")))
    session = await begun(client, client_tools=[WEATHER])
    waiting = await session.turn()
    path = f"{session.path}/turn/{waiting['turn_id']}/resume"
    error = await refused(client, path, {"tool_responses": answers}, status=400)
    assert error["message"].startswith(words)


async def test_a_session_runs_one_turn_at_a_time(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(says("Gre", breaks="wait"), says("Blue"))
    session = await begun(client)
    path, body = f"{session.path}/turn", {"messages": [USER], "stream": True}
    running = client.call("POST", path, body=json.dumps(body).encode(), headers={"content-type": "application/json"})
    assert (await running.start())[0] == 200
    while b"Gre" not in (await running.chunk() or b"Gre"):
        pass
    error = await refused(client, path, body, status=409)
    assert error["message"] == (
        f"The session `{session.path.rpartition('/')[2]}` runs another turn\n"
        "hint: wait until it is over, or begin another session"
    )
    await running.leave()
    turn = await session.turn()
    assert [one["content"] for one in asked(upstream)["messages"][1:]] == ["Name a colour"]
    left, whole = (await session.get())["turns"]
    assert whole == turn and left["output_message"]["content"] == "Gre"


async def test_a_turn_that_failed_is_not_gone_on_with(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(says("Gre", breaks="error"), says("Blue"))
    session = await begun(client)
    events = await session.events()
    assert events[-1]["error"]["message"]
    assert (await session.turn())["output_message"]["content"] == "Blue"
    assert [one["content"] for one in asked(upstream)["messages"][1:]] == ["Name a colour"]


async def test_a_turn_that_waits_can_be_resumed_again_after_it_failed(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(calls(("c1", "get_weather", "{}")), says(breaks="error"), says("Sunny"))
    session = await begun(client, client_tools=[WEATHER])
    waiting = await session.turn()
    path = f"/turn/{waiting['turn_id']}/resume"
    assert "error" in (await session.events(path=path, tool_responses=[RESULT]))[-1]
    assert (await session.events(path=path, tool_responses=[RESULT]))[-1]["turn"]["output_message"][
        "content"
    ] == "Sunny"


@pytest.mark.parametrize("stream", [True, False])
async def test_what_the_vendor_refuses_is_its_status(client: Client, upstream: Upstream, stream: bool) -> None:
    session = await begun(client, model="vendor/none")
    error = await refused(client, f"{session.path}/turn", {"messages": [USER], "stream": stream}, status=404)
    assert error["param"] == "agent_config.model" and (await session.get())["turns"] == []


async def test_settings_are_sent_as_chats_have_them(client: Client, upstream: Upstream) -> None:
    schema = {"type": "object", "properties": {"colour": {"type": "string"}}}
    session = await begun(
        client,
        sampling_params={
            "strategy": {"type": "top_p", "temperature": 0.5, "top_p": 0.9},
            "max_tokens": 40,
            "repetition_penalty": 1.2,
            "stop": ["."],
        },
        response_format={"type": "json_schema", "json_schema": schema},
    )
    await session.turn()
    sent = asked(upstream)
    wanted = {"temperature": 0.5, "top_p": 0.9, "repetition_penalty": 1.2, "stop": ["."]}
    assert {name: sent[name] for name in wanted} == wanted
    assert 40 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))
    assert sent["response_format"]["json_schema"]["schema"] == schema


@pytest.mark.parametrize(
    ("config", "choice", "sent"),
    [
        ({"tool_choice": "required"}, None, "required"),
        ({"tool_config": {"tool_choice": "required"}}, {"tool_choice": "none"}, "none"),
        ({}, {"tool_choice": "get_weather"}, {"type": "function", "function": {"name": "get_weather"}}),
    ],
)
async def test_tools_are_used_as_the_turn_says(
    client: Client, upstream: Upstream, config: Any, choice: Any, sent: Any
) -> None:
    session = await begun(client, client_tools=[WEATHER], **config)
    await session.turn(**({} if choice is None else {"tool_config": choice}))
    assert asked(upstream)["tool_choice"] == sent


async def test_documents_are_read_by_the_model(client: Client, upstream: Upstream) -> None:
    session = await begun(client)
    await session.turn(
        documents=[
            {"content": "Llamas hum.", "mime_type": "text/plain"},
            {"content": {"type": "text", "text": "Llamas graze."}, "mime_type": "text/plain"},
        ]
    )
    said = json.dumps(asked(upstream)["messages"])
    assert all(words in said for words in ("Document 1 (text/plain):", "Llamas hum.", "Llamas graze."))


@pytest.mark.parametrize(
    ("config", "status", "param"),
    [
        ({"input_shields": ["guard"] * 9}, 400, "agent_config.input_shields"),
        ({"response_format": {"type": "grammar", "bnf": {}}}, 501, "agent_config.response_format.type"),
        ({"tool_config": {"system_message_behavior": "replace"}}, 501, "tool_config.system_message_behavior"),
        (
            {"client_tools": [{"name": "f", "parameters": [{"name": "a", "parameter_type": "Path"}]}]},
            400,
            "agent_config.client_tools[0].parameters[0].parameter_type",
        ),
        ({"client_tools": [{"name": "f"}, {"name": "f"}]}, 400, "agent_config.client_tools[1].name"),
        (
            {"toolgroups": [{"name": "g", "args": {str(at): at for at in range(65)}}]},
            400,
            "agent_config.toolgroups[0].args",
        ),
        ({"max_infer_iters": 0}, 400, "agent_config.max_infer_iters"),
        ({"colour": "green"}, 400, "agent_config.colour"),
    ],
)
async def test_what_an_agent_cannot_have_is_named(client: Client, config: Any, status: int, param: str) -> None:
    body = {"agent_config": {"model": MODEL, "instructions": "", **config}}
    assert (await refused(client, "/v1/agents", body, status=status))["param"] == param


async def test_what_is_not_there_is_named(client: Client) -> None:
    session = await begun(client)
    turn = await session.turn()
    agent, sessions = "/v1/agents/agent_no", f"/v1/agents/{session.agent}/session"
    wrong = {
        agent: "There is no agent `agent_no`",
        f"{agent}/session/x": "There is no agent `agent_no`",
        f"{sessions}/x": f"The agent `{session.agent}` has no session `x`",
        f"{sessions}/x/turn/y": f"The agent `{session.agent}` has no session `x`",
        f"{session.path}/turn/y": "has no turn `y`",
        f"{session.path}?turn_ids=y": "has no turn `y`",
        f"{session.path}/turn/{turn['turn_id']}/step/z": "has no step `z`",
    }
    for path, words in wrong.items():
        assert words in (await refused(client, path, status=404))["message"]
    assert "no session" in (await refused(client, f"{sessions}/x/turn", {"messages": [USER]}, status=404))["message"]


@pytest.mark.parametrize("level", ["v1", "v1alpha"])
async def test_agents_and_sessions_are_listed_page_by_page(new_client: Client, level: str) -> None:
    made = []
    for number in range(3):
        config = {"model": MODEL, "instructions": "", "name": str(number)}
        made.append((await new_client.post(f"/{level}/agents", {"agent_config": config})).json()["agent_id"])
    first = (await new_client.get(f"/{level}/agents?limit=2")).json()
    assert ([one["agent_id"] for one in first["data"]], first["has_more"]) == (made[:2], True)
    rest = (await new_client.get(f"/{level}/agents?start_index=2&limit=2")).json()
    assert ([one["agent_id"] for one in rest["data"]], rest["has_more"]) == (made[2:], False)
    for index in (9, 1_000_000_000):
        assert (await new_client.get(f"/{level}/agents?start_index={index}&limit=1000")).json()["data"] == []
    assert (await refused(new_client, f"/{level}/agents?start_index={2**63}", status=400))["param"] == "start_index"
    begun = []
    for name in "ab":
        path = f"/{level}/agents/{made[0]}/session"
        begun.append((await new_client.post(path, {"session_name": name})).json()["session_id"])
    listed = (await new_client.get(f"/{level}/agents/{made[0]}/sessions?limit=-1")).json()
    assert [(one["session_id"], one["session_name"]) for one in listed["data"]] == [*zip(begun, "ab", strict=True)]
    assert (await new_client.get(f"/{level}/agents/{made[0]}")).json()["agent_config"]["name"] == "0"


async def test_a_page_ends_before_it_is_too_large(new_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instructions may be as long as a body: a few make a page. Both are a hundredth here."""
    monkeypatch.setattr(paging, "MOST_BYTES", paging.MOST_BYTES // 100)
    made = []
    for number in range(3):
        config = {"model": MODEL, "instructions": f"{number}é" * 30_000}
        made.append((await new_client.post("/v1/agents", {"agent_config": config})).json()["agent_id"])
    listed: list[str] = []
    has_more, pages = True, 0
    while has_more:
        page = (await new_client.get(f"/v1/agents?limit=-1&start_index={len(listed)}")).json()
        listed += [one["agent_id"] for one in page["data"]]
        has_more, pages = page["has_more"], pages + 1
    assert (listed, pages) == (made, 3)


async def test_what_is_deleted_is_gone_with_all_that_was_said(new_client: Client, upstream: Upstream) -> None:
    session = await begun(new_client)
    await session.turn()
    other = (await new_client.post(f"/v1/agents/{session.agent}/session", {"session_name": "two"})).json()["session_id"]
    assert (await new_client.request("DELETE", session.path)).status == 204
    assert (await new_client.get("/v1/responses")).json()["data"] == []
    await refused(new_client, session.path, status=404)
    assert (await new_client.request("DELETE", f"/v1/agents/{session.agent}")).status == 204
    await refused(new_client, f"/v1/agents/{session.agent}/session/{other}", status=404)
    assert (await new_client.get("/v1/agents")).json()["data"] == []


@pytest.mark.parametrize("choice", ["required", "get_weather"])
async def test_a_tool_to_call_has_to_be_there(client: Client, choice: str) -> None:
    session = await begun(client, tool_choice=choice)
    error = await refused(client, f"{session.path}/turn", {"messages": [USER]}, status=400)
    assert error["param"] == "agent_config.tool_choice" and "there are none" in error["message"]
    with_tools = await begun(client, client_tools=[WEATHER])
    body = {"messages": [USER], "tool_config": {"tool_choice": "get_wether"}}
    error = await refused(client, f"{with_tools.path}/turn", body, status=400)
    assert error["param"] == "tool_config.tool_choice" and "get_wether" in error["message"]
