"""Many callers at once in loops of ten turns, each with a tool of an MCP server, a search of files and a function; half
of them leave in the middle of a call.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runtime.conformance.upstream import Answer, Habits, upstream_server
from runtime.conformance.upstream.scripted import Said, calls, says
from tests.support.mcp_server import RunningMcp, mcp_server
from tests.support.response_streams import events_of
from tests.support.responses_process import LIMIT_S, MODEL, RESPONSES, Json, listed, until
from tests.support.server_process import ServerProcess, running_server
from tests.support.vector_stores import STORES, done, run_config, uploaded
from tests.support.word_models import Models

pytestmark = pytest.mark.e2e
CALLERS, TURNS = 32, 10
LEAVES_AT = 5
OPENING = range(0, CALLERS, 4)
"""Those who come before the others."""
NOTE: Json = {"type": "function", "name": "note", "parameters": {"type": "object", "properties": {}}}


class Model(Models):
    """In each turn it calls a tool of the server and searches, then calls the function, by what it is told."""

    def endpoints(self) -> Any:
        return {**super().endpoints(), "/chat/completions": self._next}

    def _next(self, body: dict[str, Any], habits: Habits) -> Answer:
        return answer_of(said_to(body["messages"]), body["model"])


def said_to(messages: list[Json]) -> Said:
    caller = int(messages[0]["content"])
    told = [message["content"] for message in messages if message["role"] == "tool"]
    notes = [one for one in told if " at " in one]
    turn, has_called = len(notes), messages[-1]["role"] == "tool" and messages[-1]["content"] not in notes
    assert notes == noted(caller, turn), "nothing is lost, and the order is right"
    assert [one for one in told if one.isdigit()] == [f"{caller + at}" for at in range(turn + has_called)]
    if has_called:
        assert "about llamas" in messages[-1]["content"], "it has read what was found"
        return calls((f"call_n{turn}", "note", json.dumps({"turn": turn})))
    if turn == TURNS - 1:
        return says(f"Done, {caller}")
    if leaves(caller) and turn == LEAVES_AT:
        return calls((f"call_s{turn}", "slow", "{}"))
    add = (f"call_a{turn}", "add", json.dumps({"a": caller, "b": turn}))
    return calls(add, (f"call_f{turn}", "file_search", '{"queries": ["llamas"]}'))


def answer_of(said: Said, model: str) -> Answer:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
    deltas = [*({"delta": delta} for delta in said.deltas), {"delta": {}, "finish_reason": said.finish}]
    events = [{**head, "choices": [{"index": 0, "finish_reason": None, **delta}]} for delta in deltas]
    return Answer(whole={"usage": said.usage}, events=events, head=head)


def leaves(caller: int) -> bool:
    return caller % 2 == 1


def noted(caller: int, turns: int) -> list[str]:
    """What the function gave back so far."""
    return [f"{caller} at {turn}" for turn in range(turns)]


async def loop(server: ServerProcess, mcp: RunningMcp, caller: int, tools: list[Json]) -> None:
    """All turns of a caller, or those before it leaves, which it does when all who leave are in a call."""
    async with aiohttp.ClientSession() as session:
        body: Json = {"model": MODEL, "stream": True, "tools": tools, "input": f"{caller}"}
        for turn in range(TURNS):
            async with session.post(f"{server.url}{RESPONSES}", json=body) as answer:
                assert answer.status == 200, await answer.text()
                if leaves(caller) and turn == LEAVES_AT:
                    await answer.content.readuntil(b"mcp_call_arguments.done")
                    await until(lambda: mcp.ran.count("slow") == CALLERS // 2)
                    return
                events = events_of(await answer.read())
            response = events[-1]["response"]
            output = [item for item in response["output"] if turn or item["type"] != "mcp_list_tools"]
            if turn == TURNS - 1:
                assert output[0]["content"][0]["text"] == f"Done, {caller}"
                return
            call, search, note = output
            assert (call["type"], call["output"], call["error"]) == ("mcp_call", f"{caller + turn}", None)
            assert (search["type"], search["status"]) == ("file_search_call", "completed")
            assert (note["call_id"], note["arguments"]) == (f"call_n{turn}", json.dumps({"turn": turn}))
            given = {"type": "function_call_output", "call_id": note["call_id"], "output": noted(caller, turn + 1)[-1]}
            body |= {"input": [given], "previous_response_id": response["id"]}


async def tools_of(server: ServerProcess, mcp: RunningMcp) -> list[Json]:
    store = (await done(server, "POST", STORES, json={}))["id"]
    file = {"file_id": await uploaded(server, 1)}
    path = f"{STORES}/{store}/files"
    status = (await done(server, "POST", path, json=file))["status"]
    async with asyncio.timeout(LIMIT_S):
        while status == "in_progress":
            await asyncio.sleep(0.05)
            status = (await done(server, "GET", f"{path}/{file['file_id']}"))["status"]
    assert status == "completed"
    server_tool = {"type": "mcp", "server_label": "sums", "server_url": mcp.url, "require_approval": "never"}
    return [NOTE, server_tool, {"type": "file_search", "vector_store_ids": [store]}]


@pytest.mark.parametrize("newest", [True, False])
async def test_no_event_is_lost_and_no_session_stays(tmp_path: Path, newest: bool) -> None:
    async with upstream_server(make=Model) as vendor, mcp_server(newest=newest) as mcp:
        run = run_config(vendor)
        config = {"allow_private_addresses": True, "idle_s": 1.0}
        run["providers"]["connectors"] = [
            {"provider_id": "builtin", "provider_type": "inline::builtin", "config": config}
        ]
        async with running_server(run, tmp_path, said="serving") as server:
            tools = await tools_of(server, mcp)
            files = Path(f"/proc/{server.process.pid}/fd")
            # Opens what stays open.
            await asyncio.gather(*(loop(server, mcp, caller, tools) for caller in OPENING))
            await until(lambda: mcp.open_streams == 0)
            before = len([*files.iterdir()])
            async with asyncio.timeout(2 * LIMIT_S):
                await asyncio.gather(*(loop(server, mcp, caller, tools) for caller in range(CALLERS)))
            await until(lambda: len([*files.iterdir()]) <= before)
            await until(lambda: mcp.open_streams == 0)
            await until(lambda: mcp.times("DELETE") == mcp.times("initialize"))
            async with asyncio.timeout(LIMIT_S):
                while "in_progress" in (statuses := await listed(server)):
                    await asyncio.sleep(0.02)
            stayed, left = len(OPENING) + CALLERS // 2, CALLERS // 2
            assert statuses.count("completed") == stayed * TURNS + left * LEAVES_AT
            assert statuses.count("incomplete") == left and len(statuses) == stayed * TURNS + left * (LEAVES_AT + 1)
            assert mcp.ran.count("slow") == left and mcp.cancelled.is_set()
            assert mcp.ran.count("add") == stayed * (TURNS - 1) + left * LEAVES_AT
            assert mcp.times("tools/list") <= 4, "the list is kept"
