"""Sessions that are too old, and what is left of those that somebody deletes: nothing of them stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.access import ANYBODY, User
from runtime.clock import wall_time
from runtime.conformance.stacks import Served, adapter_of, run_config
from runtime.conformance.upstream import Upstream
from runtime.conformance.upstream.scripted import Script, says
from runtime.context import RequestContext
from runtime.context import serving as serving_request
from runtime.errors import NotFound, Unavailable
from runtime.providers.agents.builtin import hidden
from runtime.providers.agents.builtin.forgetting import Forgetting
from runtime.providers.agents.builtin.tables import AGENTS, SESSIONS, TURNS
from runtime.stack.retention import Retention
from runtime.storage.sql import Select, SqlStore, Update, eq
from tests.support.agents import USER, Session, begun
from tests.support.stacks import openai_at, serving


@pytest_asyncio.fixture
async def served(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Served]:
    upstream.misbehaves = Script(says("Green"))
    async with serving(run_config(providers={"inference": [openai_at(upstream.url)]}), tmp_path) as served:
        yield served


def agents_of(served: Served) -> Any:
    return adapter_of(served.stack, "agents")


def store_of(served: Served) -> SqlStore:
    store: SqlStore = agents_of(served)._sessions._store
    return store


async def counts(served: Served) -> tuple[int, ...]:
    """How many agents, sessions, turns and responses there are, whoever sees them."""
    rows = [await store_of(served).select(Select(table, columns=table.key)) for table in (AGENTS, SESSIONS, TURNS)]
    responses = (await served.client.get("/v1/responses")).json()["data"]
    return *map(len, rows), len(responses)


async def aged(served: Served) -> None:
    """What retention does to sessions that were used more than 50 s ago, in 100 s from now."""
    removing = Retention(served.stack._stores, {"sessions": 50.0}, clock=lambda: wall_time() + 100.0)
    assert (await removing.turn(), removing.trouble) == ({"sessions": 1}, "")


async def test_a_session_that_is_too_old_goes_with_what_was_said(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its responses outlived it."""
    monkeypatch.setattr(hidden, "_TURNS_AT_ONCE", 2)
    session = await begun(served.client)
    for _ in range(3):
        await session.turn()
    await aged(served)
    assert (await served.client.get(session.path)).status == 404
    assert (await served.client.post(f"{session.path}/turn", {"messages": [USER]})).status == 404
    assert (await served.client.get(f"/v1/agents/{session.agent}/sessions")).json()["data"] == []
    assert await counts(served) == (1, 1, 3, 3), "its provider has not come to it"
    assert await agents_of(served)._removing.turn() == ""
    assert await counts(served) == (1, 0, 0, 0)


async def test_a_turn_that_ran_in_a_session_that_is_hidden_is_not_there(served: Served) -> None:
    session = await begun(served.client)
    turn = await session.turn()
    await aged(served)
    sessions = agents_of(served)._sessions
    changed = {"last": "resp_1", "used": 1}
    assert not await sessions.let_go(turn["session_id"], "turn_1", changed)
    [row] = await store_of(served).select(Select(SESSIONS))
    assert row["last"] != "resp_1" and row["expires_at"] == 0


async def test_one_that_runs_a_turn_stays_until_its_lease_has_run_out(served: Served) -> None:
    session = await begun(served.client)
    await session.turn()
    running = {"turn": "turn_1", "held_until": wall_time() + 60}
    await store_of(served).write(Update(SESSIONS, running, eq("agent_id", session.agent)))
    assert (await served.client.request("DELETE", session.path)).status == 204
    assert (await served.client.get(session.path)).status == 404
    await agents_of(served)._removing.turn()
    assert await counts(served) == (1, 1, 0, 0)
    await store_of(served).write(Update(SESSIONS, {"held_until": 1.0}, eq("agent_id", session.agent)))
    await agents_of(served)._removing.turn()
    assert await counts(served) == (1, 0, 0, 0)


@pytest.mark.parametrize("what", ["session", "agent"])
async def test_what_could_not_be_deleted_is_deleted_later(
    served: Served, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    session = await begun(served.client)
    await session.turn()
    path = session.path if what == "session" else f"/v1/agents/{session.agent}"
    with monkeypatch.context() as patched:
        patched.setattr(Forgetting, "documents", failing)
        assert (await served.client.request("DELETE", path)).status == 503
        assert (await served.client.get(path)).status == 404, "nobody sees half of it"
        assert await agents_of(served)._removing.turn() == "the vector stores are down"
    assert (await counts(served))[1:] == (1, 1, 1)
    other = await begun(served.client)
    await other.turn()
    assert await agents_of(served)._removing.turn() == ""
    assert await counts(served) == (1 + (what == "session"), 1, 1, 1), "what others have stays"
    assert len((await other.get())["turns"]) == 1


async def failing(self: Forgetting, session_id: str) -> None:
    raise Unavailable("the vector stores are down")


async def test_one_that_stays_keeps_no_other_from_being_deleted(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = [await begun(served.client) for _ in range(3)]
    for session in sessions:
        await agents_of(served)._sessions.hide(session.path.rpartition("/")[2])
    first = min(session.path.rpartition("/")[2] for session in sessions)
    documents = Forgetting.documents

    async def failing_once(self: Forgetting, session_id: str) -> None:
        if session_id == first:
            raise Unavailable("the vector stores are down")
        await documents(self, session_id)

    monkeypatch.setattr(Forgetting, "documents", failing_once)
    assert await agents_of(served)._removing.turn() == "the vector stores are down"
    assert [row["id"] for row in await store_of(served).select(Select(SESSIONS, columns=("id",)))] == [first]


async def test_no_session_begins_with_an_agent_that_goes(served: Served) -> None:
    """Between its being looked for and the session's being kept."""
    session = await begun(served.client)
    sessions = agents_of(served)._sessions
    await sessions.hide_agent(session.agent)
    with pytest.raises(NotFound, match=f"no agent `{session.agent}`"):
        await sessions.begin("session_1", session.agent, 1, "late")
    assert (await served.client.get("/v1/agents")).json()["data"] == []


async def test_an_agent_goes_with_the_sessions_of_others(served: Served) -> None:
    session: Session = await begun(served.client)
    await session.turn()
    sessions, forgetting = agents_of(served)._sessions, agents_of(served)._forgetting
    with serving_request(RequestContext(user=User(principal="eve"))):
        await sessions.begin("session_1", session.agent, 1, "eve's")
    with serving_request(RequestContext(user=ANYBODY)):
        await forgetting.agent(session.agent)
    assert await counts(served) == (0, 0, 0, 0)
