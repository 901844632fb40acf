"""A server that is killed in the middle of turns: what was told is there, and the session can be used again."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from runtime.conformance.upstream import Upstream, upstream_server
from runtime.conformance.upstream.scripted import Said, Script, calls, says
from tests.support.agents import MODEL
from tests.support.responses_process import LIMIT_S, Json, all_at_once, events_of, leases_run_out, listed, running
from tests.support.server_process import ServerProcess

pytestmark = pytest.mark.e2e
ASK = {"name": "ask"}
ASKS = calls(("c1", "ask", "{}"))
ANSWER = {"tool_responses": [{"call_id": "c1", "content": "Yes"}]}


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[Upstream]:
    async with upstream_server() as found:
        yield found


def scripted(vendor: Upstream, *answers: Said) -> Script:
    vendor.misbehaves = script = Script(*answers)
    return script


async def killed(server: ServerProcess) -> None:
    server.signal(signal.SIGKILL)
    await server.process.wait()


def told(script: Script) -> list[str]:
    """What the model read last."""
    return [message["content"] for message in script.asked[-1]["messages"]]


@dataclass(frozen=True)
class Session:
    """A session, at whichever server has its tables."""

    path: str

    async def get(self, server: ServerProcess, path: str = "") -> Json:
        status, found = await server.ask("GET", self.path + path)
        assert status == 200, found
        return dict(found)

    async def turn(self, server: ServerProcess, text: str) -> tuple[int, Json]:
        return await server.ask("POST", f"{self.path}/turn", json=says_user(text))

    async def delete(self, server: ServerProcess) -> None:
        async with aiohttp.ClientSession() as http, http.delete(server.url + self.path) as answer:
            assert answer.status == 204, await answer.text()

    def streamed(self, server: ServerProcess, text: str) -> AbstractAsyncContextManager[AsyncIterator[Json]]:
        return events_of(f"{server.url}{self.path}/turn", says_user(text))

    def resumed(self, server: ServerProcess, turn_id: str) -> AbstractAsyncContextManager[AsyncIterator[Json]]:
        return events_of(f"{server.url}{self.path}/turn/{turn_id}/resume", ANSWER)


def says_user(text: str) -> Json:
    return {"messages": [{"role": "user", "content": text}]}


async def begun(server: ServerProcess) -> Session:
    """A session of a new agent, which may ask its client."""
    config = {"model": MODEL, "instructions": "", "client_tools": [ASK]}
    _, agent = await server.ask("POST", "/v1/agents", json={"agent_config": config})
    path = f"/v1/agents/{agent['agent_id']}/session"
    _, session = await server.ask("POST", path, json={"session_name": "one"})
    return Session(f"{path}/{session['session_id']}")


async def until(events: AsyncIterator[Json], kind: str, text: str = "") -> Json:
    """The payload of the next event of this kind, with this text if it is in the middle of a step."""
    async for event in events:
        payload: Json = event["event"]["payload"]
        if payload["event_type"] == kind and text in str(payload.get("delta", "")):
            return payload
    raise AssertionError(f"the stream has ended without {kind}")


async def test_a_turn_in_the_middle_is_over_and_another_follows(vendor: Upstream, tmp_path: Path) -> None:
    scripted(vendor, says("First"), says("Once ", "upon", breaks="wait"))
    async with running(vendor, tmp_path) as server:
        session = await begun(server)
        status, first = await session.turn(server, "Begin")
        assert status == 200
        async with session.streamed(server, "Tell") as events:
            second = (await until(events, "turn_start"))["turn_id"]
            await until(events, "step_progress", "upon")
            await killed(server)
    script = scripted(vendor, says("Gone on"))
    async with running(vendor, tmp_path) as server:
        assert (await session.get(server, f"/turn/{second}"))["completed_at"] is None, "another server might run it"
        status, busy = await session.turn(server, "Go on")
        assert (status, busy["error"]["code"]) == (409, "session_is_busy")
        assert not script.asked
        await killed(server)
    leases_run_out(tmp_path)
    async with running(vendor, tmp_path) as server:
        assert await session.get(server, f"/turn/{first['turn_id']}") == first
        dead = await session.get(server, f"/turn/{second}")
        assert dead["completed_at"] and dead["steps"] == [], "nobody waits for it for ever"
        status, third = await session.turn(server, "Go on")
        assert status == 200 and third["output_message"]["content"] == "Gone on"
        assert [text for text in told(script) if text] == ["Begin", "First", "Go on"]
        turns = (await session.get(server))["turns"]
        assert turns == [first, dead, third], "a turn that died is the same once another has begun"
        await session.delete(server)
        assert await listed(server) == []


async def test_a_session_that_goes_leaves_nothing_of_a_turn_in_the_middle(vendor: Upstream, tmp_path: Path) -> None:
    scripted(vendor, says("Once ", "upon", breaks="wait"))
    async with running(vendor, tmp_path) as server:
        session = await begun(server)
        async with session.streamed(server, "Tell") as events:
            await until(events, "step_progress", "upon")
            await killed(server)
    leases_run_out(tmp_path)
    async with running(vendor, tmp_path) as server:
        await session.delete(server)
        assert await listed(server) == []


class Held(Script):
    """A model that answers once it may."""

    def __init__(self, *answers: Said) -> None:
        super().__init__(*answers)
        self.is_asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            self.is_asked.set()
            await self.may_answer.wait()
        return await super().__call__(request)


async def test_a_session_that_goes_before_the_model_answers_leaves_nothing(vendor: Upstream, tmp_path: Path) -> None:
    """What is answered then is nobody's, and the turn that would delete it dies."""
    vendor.misbehaves = model = Held(says("Once ", "upon", breaks="wait"))
    async with running(vendor, tmp_path) as server, asyncio.TaskGroup() as tasks:
        session = await begun(server)
        tasks.create_task(left(session.streamed(server, "Tell")))
        async with asyncio.timeout(LIMIT_S):
            await model.is_asked.wait()
            await session.delete(server)
            model.may_answer.set()
            await listing(server, ["in_progress"])
        await killed(server)
    leases_run_out(tmp_path)
    async with running(vendor, tmp_path) as server, asyncio.timeout(LIMIT_S):
        await listing(server, [])


async def left(stream: AbstractAsyncContextManager[AsyncIterator[Json]]) -> None:
    """Read until the server dies."""
    with contextlib.suppress(aiohttp.ClientError):
        async with stream as events:
            async for _ in events:
                pass


async def listing(server: ServerProcess, statuses: list[str]) -> None:
    """Returns once these are the responses that are kept."""
    while await listed(server) != statuses:
        await asyncio.sleep(0.02)


async def test_a_turn_that_waits_for_its_client_goes_on(vendor: Upstream, tmp_path: Path) -> None:
    scripted(vendor, ASKS)
    async with running(vendor, tmp_path) as server:
        session = await begun(server)
        async with session.streamed(server, "Ask me") as events:
            waiting = (await until(events, "turn_awaiting_input"))["turn"]
            await killed(server)
    at = f"/turn/{waiting['turn_id']}"
    scripted(vendor, says("So ", "be", breaks="wait"))
    async with running(vendor, tmp_path) as server:
        assert await session.get(server, at) == waiting
        async with session.resumed(server, waiting["turn_id"]) as events:
            await until(events, "step_progress", "be")
            await killed(server)
    leases_run_out(tmp_path)
    all_at_once(tmp_path)  # the client may answer in the second in which it was asked
    script = scripted(vendor, says("So be it"))
    async with running(vendor, tmp_path) as server:
        assert await session.get(server, at) == waiting, "what went on with it is as if it had not been"
        async with session.resumed(server, waiting["turn_id"]) as events:
            turn = (await until(events, "turn_complete"))["turn"]
            await killed(server)
        assert told(script)[-1] == "Yes" and len(script.asked) == 1
    async with running(vendor, tmp_path) as server:
        assert await session.get(server, at) == turn
        assert turn["output_message"]["content"] == "So be it"
        assert len(await listed(server)) == 2, "what was asked, and what went on with it at last"


async def test_what_was_told_to_be_complete_is_there(vendor: Upstream, tmp_path: Path) -> None:
    """Killed while eight sessions have one turn after the other. Those that ran none are free at once."""
    scripted(vendor, says("Yes"))
    complete: dict[Session, list[Json]] = {}
    enough = asyncio.Event()

    async def ask(server: ServerProcess, session: Session, streams: bool) -> None:
        turns = complete.setdefault(session, [])
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            while True:
                if streams:
                    async with session.streamed(server, "Well?") as events:
                        turns.append((await until(events, "turn_complete"))["turn"])
                        assert [event async for event in events] == []
                else:
                    status, turn = await session.turn(server, "Well?")
                    assert status == 200, turn
                    turns.append(turn)
                if sum(map(len, complete.values())) >= 60:
                    enough.set()

    async with running(vendor, tmp_path) as server:
        idle = await begun(server)
        async with idle.streamed(server, "Well?") as events:
            complete[idle] = [(await until(events, "turn_complete"))["turn"]]
        asking = [asyncio.create_task(ask(server, await begun(server), streams)) for streams in [True, False] * 4]
        async with asyncio.timeout(LIMIT_S):
            await enough.wait()
            await killed(server)
            await asyncio.gather(*asking)
    async with running(vendor, tmp_path) as server:
        assert (await idle.turn(server, "And?"))[0] == 200, "no lease has to run out"
        await killed(server)
    leases_run_out(tmp_path)
    async with running(vendor, tmp_path) as server:
        for session, turns in complete.items():
            kept = {turn["turn_id"]: turn for turn in (await session.get(server))["turns"]}
            assert [kept[turn["turn_id"]] for turn in turns] == turns
            assert all(turn["completed_at"] for turn in kept.values())
            assert (await session.turn(server, "And?"))[0] == 200
