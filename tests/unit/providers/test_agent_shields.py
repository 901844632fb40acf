"""Shields of agents: the steps that they are in a turn, and the turns that end by them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import Upstream
from runtime.conformance.upstream.scripted import Said, Script, calls, says
from tests.support.agents import USER, Session, begun, kinds
from tests.support.shields import WORDS, shields, with_words
from tests.support.stacks import openai_at, serving
from tests.support.tool_groups import furnish_tools, group, toolbox

Serve = Callable[..., AbstractAsyncContextManager[Client]]
REFUSAL = "I cannot talk about that."
REFUSED = {"role": "assistant", "content": REFUSAL, "stop_reason": "end_of_turn"}
BOMB = {"role": "user", "content": "a bomb"}
SHIELD = ["step_start shield_call", "step_complete shield_call"]
INFERENCE = ["step_start inference", "step_complete inference"]
TOOL = ["step_start tool_execution", "step_complete tool_execution"]
ASK = {"name": "ask", "parameters": []}
ASKS = calls(("c1", "ask", "{}"))
RESULT = {"call_id": "c1", "tool_name": "ask", "content": "Nothing"}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, upstream: Upstream) -> Serve:
    """Serves a vendor, a tool that says `done`, and shields. guardrails: of the run config."""
    with_words(monkeypatch)
    furnish_tools(monkeypatch)

    @asynccontextmanager
    async def served(**guardrails: Any) -> AsyncIterator[Client]:
        run = run_config(
            providers={
                "inference": [openai_at(upstream.url)],
                "tool_runtime": [toolbox(own=["look"])],
                "safety": [WORDS],
            },
            registered_resources=shields(bombs="bomb", done="done") | {"tool_groups": [group("mine", own="own")]},
            safety={"guardrails": {"window_chars": 20, **guardrails}},
        )
        async with serving(run, tmp_path) as running:
            yield running.client

    return served


def violation(shield: str, word: str) -> dict[str, Any]:
    """As a step has it."""
    metadata = {"shield_id": shield, "categories": ["violence"], "violation_type": word}
    return {"violation_level": "error", "user_message": REFUSAL, "metadata": metadata}


async def told(session: Session, upstream: Upstream, *said: Said, message: Any = USER) -> tuple[list[str], Any]:
    """What the events of a turn are, and the turn: the same when it is read again, and when it is not streamed."""
    upstream.misbehaves = Script(*said)
    events = await session.events(message)
    turn = events[-1]["turn"]
    assert await session.get(f"/turn/{turn['turn_id']}") == turn
    assert (await session.get())["turns"][-1] == turn
    for step in turn["steps"]:
        assert await session.get(f"/turn/{turn['turn_id']}/step/{step['step_id']}") == {"step": step}
        assert step["started_at"] <= step["completed_at"] <= (turn["completed_at"] or step["completed_at"])
    assert [one["step_details"] for one in events if one["event_type"] == "step_complete"] == turn["steps"]
    upstream.misbehaves = Script(*said)
    whole = await session.turn(message)
    assert [shape(step) for step in whole["steps"]] == [shape(step) for step in turn["steps"]]
    return kinds(events), turn


def shape(step: Any) -> Any:
    """A step without what differs between two turns that are alike."""
    return {name: step.get(name) for name in ("step_type", "violation")} | {
        "said": (step.get("model_response") or {}).get("content")
    }


async def test_each_turn_is_looked_at_before_and_after(serve: Serve, upstream: Upstream) -> None:
    async with serve() as client:
        session = await begun(client, input_shields=["bombs"], output_shields=["bombs"])
        events, turn = await told(session, upstream, says("Green"))
        assert events == ["turn_start", *SHIELD, *INFERENCE, *SHIELD, "turn_complete"]
        assert [step.get("violation", "none") for step in turn["steps"]] == [None, "none", None]
        assert turn["output_message"]["content"] == "Green"
        assert len({step["step_id"] for step in turn["steps"]}) == 3
        only = await begun(client, output_shields=["bombs"], input_shields=[])
        events, _ = await told(only, upstream, says("Green"))
        assert events == ["turn_start", *INFERENCE, *SHIELD, "turn_complete"]


async def test_the_events_say_at_which_point_it_is(serve: Serve, upstream: Upstream) -> None:
    upstream.misbehaves = Script(says("Green"))
    async with serve() as client:
        session = await begun(client, input_shields=["bombs"], output_shields=["bombs"])
        started = [one for one in await session.events() if one["event_type"] == "step_start"]
    points = [(one["step_type"], (one.get("metadata") or {}).get("touchpoint")) for one in started]
    assert points == [("shield_call", "user-input"), ("inference", None), ("shield_call", "assistant-output")]


async def test_what_the_user_says_ends_the_turn(serve: Serve, upstream: Upstream) -> None:
    async with serve() as client:
        session = await begun(client, input_shields=["bombs"], output_shields=["bombs"])
        events, turn = await told(session, upstream, says("Sure"), message=BOMB)
        assert events == ["turn_start", *SHIELD, "turn_complete"]
        [step] = turn["steps"]
        assert step["violation"] == violation("bombs", "bomb") and turn["output_message"] == REFUSED
        events, turn = await told(session, upstream, says("Green"))
        assert turn["output_message"]["content"] == "Green", "the session goes on"


@pytest.mark.parametrize("pieces", [["take a ", "bomb"], ["So you take this and that, ", "and then ", "a bomb"]])
async def test_what_the_model_says_ends_the_turn(serve: Serve, upstream: Upstream, pieces: list[str]) -> None:
    async with serve() as client:
        session = await begun(client, input_shields=["bombs"], output_shields=["bombs"])
        upstream.misbehaves = Script(says(*pieces))
        events = await session.events()
        turn = events[-1]["turn"]
        assert kinds(events) == ["turn_start", *SHIELD, *INFERENCE, *SHIELD, "turn_complete"]
        passed, asked, stopped = turn["steps"]
        assert (passed["violation"], stopped["violation"]) == (None, violation("bombs", "bomb"))
        deltas = "".join(one["delta"]["text"] for one in events if one["event_type"] == "step_progress")
        assert asked["model_response"]["content"] == deltas and "bomb" not in deltas and REFUSAL not in deltas
        assert bool(deltas) == (len(pieces) == 3), "what had passed was told"
        assert turn["output_message"] == REFUSED
        assert await session.get(f"/turn/{turn['turn_id']}") == turn


async def test_what_a_tool_gives_back_ends_the_turn(serve: Serve, upstream: Upstream) -> None:
    async with serve() as client:
        session = await begun(client, input_shields=["done"], toolgroups=["mine"])
        events, turn = await told(session, upstream, calls(("c1", "look", '{"query":"llamas"}')), says("So."))
        assert events == ["turn_start", *SHIELD, *INFERENCE, *TOOL, *SHIELD, "turn_complete"]
        assert turn["steps"][-1]["violation"] == violation("done", "done")
        assert turn["output_message"] == REFUSED
        asked = len(upstream.calls("/chat/completions"))
        agent = await begun(client, input_shields=["bombs"], output_shields=["bombs"], toolgroups=["mine"])
        events, _ = await told(agent, upstream, calls(("c1", "look", '{"query":"llamas"}')), says("So."))
        assert events == ["turn_start", *SHIELD, *INFERENCE, *TOOL, *INFERENCE, *SHIELD, "turn_complete"]
        assert asked and len(upstream.calls("/chat/completions")) > asked


async def test_what_the_client_s_tools_give_back_is_looked_at_too(serve: Serve, upstream: Upstream) -> None:
    async with serve() as client:
        session = await begun(client, input_shields=["bombs"], output_shields=["bombs"], client_tools=[ASK])
        for content, last in (("a bomb", REFUSED["content"]), ("a cat", "So.")):
            upstream.misbehaves = Script(ASKS, says("So."))
            events = await session.events()
            assert kinds(events) == ["turn_start", *SHIELD, *INFERENCE, *SHIELD, "turn_awaiting_input"]
            path = f"/turn/{events[-1]['turn']['turn_id']}"
            resumed = await session.events(path=f"{path}/resume", tool_responses=[{**RESULT, "content": content}])
            turn = resumed[-1]["turn"]
            after = [*SHIELD] if content == "a bomb" else [*SHIELD, *INFERENCE, *SHIELD]
            assert kinds(resumed) == [*TOOL, *after, "turn_complete"]
            assert turn["output_message"]["content"] == last
            assert await session.get(path) == turn
            ids = [step["step_id"] for step in turn["steps"]]
            assert len({*ids}) == len(ids)


async def test_a_turn_that_a_shield_ends_waits_for_no_call(serve: Serve, upstream: Upstream) -> None:
    async with serve() as client:
        session = await begun(client, output_shields=["bombs"], client_tools=[ASK])
        upstream.misbehaves = Script(calls(("c1", "ask", '{"about": "a bomb"}')))
        events = await session.events()
        assert kinds(events)[-1] == "turn_complete" and events[-1]["turn"]["output_message"] == REFUSED
        upstream.misbehaves = Script(says("Green"))
        assert (await session.turn())["output_message"]["content"] == "Green"


async def test_those_of_the_run_config_end_turns_of_agents_that_have_none(serve: Serve, upstream: Upstream) -> None:
    async with serve(input=["bombs"], output=["bombs"]) as client:
        session = await begun(client, input_shields=[], output_shields=[])
        events, turn = await told(session, upstream, says("Green"))
        assert events == ["turn_start", *INFERENCE, "turn_complete"]
        events, turn = await told(session, upstream, says("Sure"), message=BOMB)
        assert events == ["turn_start", *SHIELD, "turn_complete"] and turn["output_message"] == REFUSED
        events, turn = await told(session, upstream, says("a bomb"))
        assert events == ["turn_start", *INFERENCE, *SHIELD, "turn_complete"] and turn["output_message"] == REFUSED


async def test_a_refusal_of_the_model_s_own_is_what_it_said(serve: Serve, upstream: Upstream) -> None:
    refuses = Said(deltas=[{"role": "assistant", "content": None}, {"refusal": "I would "}, {"refusal": "rather not"}])
    async with serve() as client:
        session = await begun(client, input_shields=["bombs"])
        upstream.misbehaves = Script(refuses)
        events = await session.events()
        assert kinds(events) == ["turn_start", *SHIELD, *INFERENCE, "turn_complete"]
        deltas = [one["delta"]["text"] for one in events if one["event_type"] == "step_progress"]
        assert "".join(deltas) == "I would rather not" == events[-1]["turn"]["output_message"]["content"]


@pytest.mark.parametrize("name", ["input_shields", "output_shields"])
async def test_an_unknown_shield_is_named_as_the_agent_has_it(serve: Serve, upstream: Upstream, name: str) -> None:
    async with serve() as client:
        session = await begun(client, **{name: ["bmobs"]})
        answer = await client.post(f"{session.path}/turn", {"messages": [USER]})
        assert (answer.status, answer.error["param"]) == (404, f"agent_config.{name}")
        assert "did you mean `bombs`" in answer.error["message"]
        assert (await session.get())["turns"] == []
