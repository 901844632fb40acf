"""Sessions of agents, where a turn fails, is left or dies, and where something is deleted meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.apis.agents.turn import CreateTurnRequest
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import Served, adapter_of, run_config
from runtime.conformance.upstream import Upstream
from runtime.conformance.upstream.scripted import Script, calls, says
from runtime.providers.agents.builtin import running as running_module
from runtime.providers.agents.builtin import size
from runtime.providers.agents.builtin.tables import SESSIONS
from runtime.storage.sql import Update, eq
from tests.support.agents import USER, Session, begun
from tests.support.stacks import openai_at, serving
from tests.support.tool_groups import furnish_tools, group, toolbox

ASK = {"name": "ask"}
LOOKS = calls(("c1", "look", '{"query":"llamas"}'))


@pytest_asyncio.fixture
async def served(monkeypatch: pytest.MonkeyPatch, upstream: Upstream, tmp_path: Path) -> AsyncIterator[Served]:
    furnish_tools(monkeypatch)
    providers = {"inference": [openai_at(upstream.url)], "tool_runtime": [toolbox(own=["look"])]}
    run = run_config(providers=providers, registered_resources={"tool_groups": [group("builtin::own", own="own")]})
    async with serving(run, tmp_path) as served:
        yield served


async def kept(client: Client) -> list[Any]:
    """The responses that are still there."""
    responses: list[Any] = (await client.get("/v1/responses")).json()["data"]
    return responses


async def running(session: Session) -> Any:
    """A turn that has said `Gre`, and waits for more."""
    body = json.dumps({"messages": [USER], "stream": True}).encode()
    path, headers = f"{session.path}/turn", {"content-type": "application/json"}
    turn = session.client.call("POST", path, body=body, headers=headers)
    assert (await turn.start())[0] == 200
    while b"Gre" not in (await turn.chunk() or b"Gre"):
        pass
    return turn


@pytest.mark.parametrize("what", ["session", "agent"])
async def test_a_turn_that_runs_meanwhile_leaves_nothing(served: Served, upstream: Upstream, what: str) -> None:
    upstream.misbehaves = Script(says("Gre", breaks="wait"))
    session = await begun(served.client)
    turn = await running(session)
    path = session.path if what == "session" else f"/v1/agents/{session.agent}"
    assert (await served.client.request("DELETE", path)).status == 204
    await turn.leave()
    assert await kept(served.client) == []


async def test_what_came_of_a_turn_that_failed_is_not_kept_beside_it(served: Served, upstream: Upstream) -> None:
    upstream.misbehaves = Script(LOOKS, says("So", breaks="error"))
    session = await begun(served.client, toolgroups=["builtin::own"])
    assert (await served.client.post(f"{session.path}/turn", {"messages": [USER]})).status == 502
    assert (await session.get())["turns"] == [] and await kept(served.client) == []


@pytest.mark.parametrize("stream", [True, False])
async def test_what_came_of_a_turn_that_could_not_go_on_is_not_kept(
    served: Served, upstream: Upstream, stream: bool
) -> None:
    upstream.misbehaves = Script(calls(("c1", "ask", "{}")), LOOKS, says("So", breaks="error"))
    session = await begun(served.client, toolgroups=["builtin::own"], client_tools=[ASK])
    waiting = await session.turn()
    [before] = await kept(served.client)
    path, answers = f"{session.path}/turn/{waiting['turn_id']}/resume", [{"call_id": "c1", "content": "Yes"}]
    answer = await served.client.post(path, {"tool_responses": answers, "stream": stream})
    assert answer.status == (200 if stream else 502) and b'"error"' in answer.body
    assert await kept(served.client) == [before]
    assert await session.get(f"/turn/{waiting['turn_id']}") == waiting


async def test_a_session_is_free_whenever_who_asks_leaves(served: Served, upstream: Upstream) -> None:
    """At each of the first steps of the event loop, in which the session is taken."""
    upstream.misbehaves = Script(says("Green"))
    session = await begun(served.client)
    agents = adapter_of(served.stack, "agents")
    given = {"agent_id": session.agent, "session_id": session.path.rpartition("/")[2], "messages": [USER]}
    for steps in range(40):
        asking = asyncio.ensure_future(agents.create_turn(CreateTurnRequest.model_validate(given)))
        for _ in range(steps):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        turns = (await session.get())["turns"]
        assert all(turn["completed_at"] for turn in turns), f"left after {steps} steps"
        await session.turn()


async def test_a_session_whose_response_was_deleted_says_so(served: Served, upstream: Upstream) -> None:
    upstream.misbehaves = Script(says("Green"), says("Blue"))
    session = await begun(served.client)
    await session.turn()
    await session.turn()
    for response in reversed(await kept(served.client)):  # what goes before, then what is continued
        await served.client.request("DELETE", f"/v1/responses/{response['id']}")
        answer = await served.client.post(f"{session.path}/turn", {"messages": [USER]})
        assert (answer.status, answer.error["param"]) == (409, "session_id")
        assert "cannot go on" in answer.error["message"] and "begin another session" in answer.error["message"]
    assert len((await session.get())["turns"]) == 2


async def test_a_turn_whose_process_has_ended_is_over(served: Served, upstream: Upstream) -> None:
    """Where nothing came of it: nobody is to wait for it for ever."""
    upstream.misbehaves = Script(says("Gre", breaks="wait"), says("Blue"))
    session = await begun(served.client)
    turn = await running(session)
    [shown] = (await session.get())["turns"]
    assert shown["completed_at"] is None
    sessions = adapter_of(served.stack, "agents")._sessions
    await sessions._store.write(Update(SESSIONS, {"held_until": 1.0}, eq("id", shown["session_id"])))
    path = f"/turn/{shown['turn_id']}"
    ended = await session.get(path)
    assert ended["completed_at"] == "1970-01-01T00:00:01+00:00"
    assert (await session.turn())["output_message"]["content"] == "Blue"
    assert await session.get(path) == ended
    await turn.leave()


async def test_a_turn_does_not_end_before_it_began(
    served: Served, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the clock is set back meanwhile."""
    upstream.misbehaves = Script(says("Green"))
    session = await begun(served.client)
    monkeypatch.setattr(running_module, "stamp", lambda: 1.0)
    turn = await session.turn()
    assert turn["completed_at"] >= turn["started_at"]
    assert await session.get(f"/turn/{turn['turn_id']}") == turn


async def test_a_session_is_not_read_whole_where_it_is_too_large(
    served: Served, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what its turns were asked, and by what came of them."""
    upstream.misbehaves = Script(says("x" * 9_000), says("Green"))
    session = await begun(served.client)
    first = await session.turn()
    second = await session.turn({"role": "user", "content": "y" * 9_000})
    one = second["turn_id"]
    for most, only, status in ((8_000, one, 413), (15_000, one, 200), (15_000, "", 413), (90_000, "", 200)):
        monkeypatch.setattr(size, "MOST_BYTES", most)
        answer = await served.client.get(f"{session.path}?turn_ids={only}" if only else session.path)
        assert answer.status == status, most
        if status == 413:
            assert "`turn_ids`" in answer.error["message"]
    assert await session.get(f"?turn_ids={second['turn_id']}&turn_ids={first['turn_id']}") == await session.get()
