"""Many callers at once, each in a loop of ten turns with a function of its own, half of whom leave in the middle."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from runtime.conformance.upstream import upstream_server
from runtime.conformance.upstream.scripted import Script, calls, says
from tests.support.response_streams import events_of
from tests.support.responses_process import LIMIT_S, MODEL, RESPONSES, Json, listed, running, until
from tests.support.server_process import ServerProcess

pytestmark = pytest.mark.e2e
CALLERS, TURNS = 32, 10
LEAVES_AT = 5
TOOL: Json = {"type": "function", "name": "note", "parameters": {"type": "object", "properties": {}}}


class Model:
    """Calls the function in each turn but the last, by what it is told; waits for those who leave to do so. running:
    how many answers it is at.
    """

    def __init__(self) -> None:
        self.running = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return await Script(says(""))(request)
        messages = (await request.json())["messages"]
        caller, turn = int(messages[0]["content"]), sum(message["role"] == "tool" for message in messages)
        assert [message["content"] for message in messages if message["role"] == "tool"] == told(caller, turn)
        breaks = "wait" if leaves(caller) and turn == LEAVES_AT else None
        made = calls((f"call_{turn}", "note", arguments(caller, turn)), breaks=breaks)
        self.running += 1
        try:
            return await Script(made if turn < TURNS - 1 else says(f"Done, {caller}"))(request)
        finally:
            self.running -= 1


def leaves(caller: int) -> bool:
    return caller % 2 == 1


def arguments(caller: int, turn: int) -> str:
    return json.dumps({"caller": caller, "turn": turn})


def told(caller: int, turns: int) -> list[str]:
    """What the function gave back so far."""
    return [f"{caller} at {turn}" for turn in range(turns)]


async def loop(server: ServerProcess, caller: int) -> None:
    """All turns of a caller, or those before it leaves."""
    async with aiohttp.ClientSession() as session:
        body: Json = {"model": MODEL, "stream": True, "tools": [TOOL], "input": f"{caller}"}
        for turn in range(TURNS):
            async with session.post(f"{server.url}{RESPONSES}", json=body) as answer:
                assert answer.status == 200, await answer.text()
                if leaves(caller) and turn == LEAVES_AT:
                    await answer.content.readuntil(b"function_call_arguments.delta")
                    return
                events = events_of(await answer.read())
            response = events[-1]["response"]
            [item] = response["output"]
            if turn == TURNS - 1:
                assert item["content"][0]["text"] == f"Done, {caller}"
                return
            assert (item["call_id"], item["arguments"]) == (f"call_{turn}", arguments(caller, turn))
            output = {"type": "function_call_output", "call_id": item["call_id"], "output": told(caller, turn + 1)[-1]}
            body |= {"input": [output], "previous_response_id": response["id"]}


async def test_no_event_is_lost_and_nothing_is_left(tmp_path: Path) -> None:
    async with upstream_server() as vendor:
        vendor.misbehaves = model = Model()
        async with running(vendor, tmp_path) as server:
            files = Path(f"/proc/{server.process.pid}/fd")
            await asyncio.gather(
                *(loop(server, caller) for caller in range(0, 2 * CALLERS, 2))
            )  # opens what stays open
            before = len([*files.iterdir()])
            async with asyncio.timeout(2 * LIMIT_S):
                await asyncio.gather(*(loop(server, caller) for caller in range(CALLERS)))
            await until(lambda: model.running == 0)
            await until(lambda: len([*files.iterdir()]) <= before)
            async with asyncio.timeout(LIMIT_S):
                while "in_progress" in (statuses := await listed(server)):
                    await asyncio.sleep(0.02)
            stayed, left = CALLERS + CALLERS // 2, CALLERS // 2
            assert statuses.count("completed") == stayed * TURNS + left * LEAVES_AT
            assert statuses.count("incomplete") == left and len(statuses) == stayed * TURNS + left * (LEAVES_AT + 1)
