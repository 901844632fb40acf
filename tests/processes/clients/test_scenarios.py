"""Every scenario through every door: what a client is told, and what the vendor behind it was asked.

One table at the end says what passed; docs/guide/clients.md has the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from aiohttp import web

from tests.processes.clients.gateway import CHAT, Gateway, break_off, check_person
from tests.processes.clients.official.driver import SAY
from tests.support.official_clients import Running
from tests.support.scenarios import DOORS, PASSES, SCENARIOS, Door, expected, scenario_table
from tests.support.stack_home import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.network_registry, pytest.mark.asyncio(loop_scope="module")]
FOUND: dict[tuple[str, str, str], str] = {}
LIMIT_S = 20.0
NOBODY = "Model `nobody/nothing` is not served"
each_door = pytest.mark.parametrize(
    ("client", "door"),
    [pytest.param(door.official, door, id=door.label.replace(" ", "-")) for door in DOORS],
    indirect=["client"],
    scope="module",
)


def passed(door: Door, scenario: str, model: str = "vendor") -> None:
    FOUND[door.label, scenario, model] = PASSES


def check_failures(told: Mapping[str, Any], kind: str, status: int, words: str) -> None:
    """A request that failed, whole and streamed."""
    for way in ("whole", "streamed"):
        assert (told[way]["type"], told[way]["status"]) == (kind, status), (way, told)
        assert words in told[way]["said"], (way, told)


def asked(gateway: Gateway) -> list[dict[str, Any]]:
    """The chats that the vendor was asked for."""
    return [seen.json() for seen in gateway.vendor.calls("/chat/completions")]


@each_door
async def test_chat(client: Running, door: Door, gateway: Gateway) -> None:
    gateway.vendor.seen.clear()
    told = await client("chat", url=gateway.at(client), model=CHAT)
    assert len(told["text"].split()) == 12
    [body] = asked(gateway)
    assert SAY in json.dumps(body["messages"][-1])
    passed(door, "chat")


@each_door
async def test_stream(client: Running, door: Door, gateway: Gateway) -> None:
    gateway.vendor.seen.clear()
    told = await client("stream", url=gateway.at(client), model=CHAT)
    assert len(told["text"].split()) == 12
    # An agent tells together what came together; that it streams at all is what `cancel` shows.
    assert told["pieces"] > 1 or "agents" in door.label
    assert asked(gateway)[-1]["stream"] is True
    passed(door, "stream")


@each_door
async def test_tools(client: Running, door: Door, gateway: Gateway) -> None:
    gateway.vendor.seen.clear()
    told = await client("tools", url=gateway.at(client), model=CHAT)
    assert [call["name"] for call in told["calls"]] == ["get_weather", "get_time"]
    for call in told["calls"]:
        assert f"{call['name']} of {call['arguments']['city']}" in told["answer"]
    first, second = asked(gateway)
    offered = {tool["function"]["name"]: tool["function"] for tool in first["tools"]}
    assert set(offered["get_time"]["parameters"]["properties"]) == {"city", "zone"}
    assert [message["role"] for message in second["messages"]][-2:] == ["tool", "tool"]
    passed(door, "tools")


@each_door
async def test_structured_output(client: Running, door: Door, gateway: Gateway) -> None:
    gateway.vendor.seen.clear()
    told = await client("structured", url=gateway.at(client), model=CHAT)
    check_person(told["person"], door.label)
    [body] = asked(gateway)
    assert set(body["response_format"]["json_schema"]["schema"]["properties"]) == {"name", "age", "traits"}
    passed(door, "structured")


@each_door
async def test_vision(client: Running, door: Door, gateway: Gateway) -> None:
    gateway.vendor.seen.clear()
    told = await client("vision", url=gateway.at(client), model=CHAT)
    assert told["text"].startswith("1 image "), "the vendor says what it has seen"
    parts = asked(gateway)[-1]["messages"][-1]["content"]
    [image] = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert image.startswith("data:image/png;base64,iVBORw0KGgo")
    passed(door, "vision")


@each_door
async def test_errors(client: Running, door: Door, gateway: Gateway) -> None:
    """Those of ours and the vendor's are the client's own exceptions, in the vendor's words."""
    check_failures(await client("errors", url=gateway.at(client), model=CHAT), client.facts.not_found, 404, NOBODY)
    for status, kind, shown in (
        (400, client.facts.bad_request, 400),
        (429, "RateLimitError", 429),
        (500, "InternalServerError", 502),
    ):

        async def refuse(request: web.Request, status: int = status) -> web.StreamResponse:
            body = {"error": {"message": f"Not now, {status}", "type": "error", "param": None, "code": None}}
            return web.json_response(body, status=status)

        gateway.vendor.misbehaves = refuse
        try:
            told = await client("failures", url=gateway.at(client), model=CHAT)
        finally:
            gateway.vendor.misbehaves = None
        check_failures(told, kind, shown, f"Not now, {status}")
    passed(door, "errors")


@each_door
async def test_broken_stream(client: Running, door: Door, gateway: Gateway) -> None:
    """Never a short answer that looks whole: the client tells of it as it tells of any failure in a stream."""
    gateway.vendor.misbehaves = break_off
    try:
        told = await client("breaks", url=gateway.at(client), model=CHAT)
    finally:
        gateway.vendor.misbehaves = None
    assert told["before"] == "and then " and "`vendor` broke off its answer" in told["said"], told
    assert told["how"] == door.broken
    FOUND[door.label, "breaks", "vendor"] = told["how"]


@each_door
async def test_cancel(client: Running, door: Door, gateway: Gateway) -> None:
    """The vendor's connection ends once the client has left, long before its answer is whole."""
    vendor = gateway.vendor
    vendor.ended_early.clear()

    async def endless(request: web.Request) -> web.StreamResponse:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "small-chat"}
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for number in range(10_000):
            delta = {"role": "assistant", "content": f"word{number} "}
            event = {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
            await response.write(b"data: %b\n\n" % json.dumps(event).encode())
            if number:
                await asyncio.Event().wait()
        return response

    vendor.misbehaves = endless
    try:
        told = await client("cancel", url=gateway.at(client), model=CHAT)
        async with asyncio.timeout(LIMIT_S):
            await vendor.ended_early.wait()
    finally:
        vendor.misbehaves = None
    assert told["first"].startswith("word0")
    passed(door, "cancel")


@pytest.mark.parametrize("scenario", [*SCENARIOS])
@each_door
async def test_the_embedded_model(client: Running, door: Door, scenario: str, request: pytest.FixtureRequest) -> None:
    if (why := expected(door, scenario, "embedded")) != PASSES:
        FOUND[door.label, scenario, "embedded"] = why
        return
    stack: Stack = request.getfixturevalue("stack")
    model: str = request.getfixturevalue("text_model")
    told = await client(scenario, url=stack.url, model=model)
    if scenario == "structured":
        check_person(told["person"], door.label)
    elif scenario == "errors":
        check_failures(told, client.facts.not_found, 404, NOBODY)
    elif scenario == "cancel":
        assert told["first"]
    else:
        assert told["text"]
    passed(door, scenario, "embedded")


async def test_the_table_is_what_was_found(note: Callable[[str], None]) -> None:
    """Printed below the run. Where a client could not be made, its tests were skipped, and so is this."""
    missing = [
        (door.label, scenario, model)
        for door in DOORS
        for scenario in SCENARIOS
        for model in ("vendor", "embedded")
        if (door.label, scenario, model) not in FOUND
    ]
    if missing:
        pytest.skip(f"not all were tried, such as {missing[0]}")
    for line in scenario_table(FOUND).splitlines():
        note(line)
    assert scenario_table(FOUND) == scenario_table()
