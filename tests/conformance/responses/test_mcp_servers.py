"""`mcp` with real servers: what they are sent, that they go away and come back, and whom they refuse."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.conformance.asgi import LIMIT_S
from runtime.conformance.stacks import Served, run_config, serving
from runtime.conformance.upstream import Upstream
from runtime.conformance.upstream.scripted import calls, says
from tests.conformance.responses.asking import MODEL, Asking, Json, texts
from tests.conformance.responses.mcp_asking import SECRET, items, offered, told
from tests.support.mcp_server import RunningMcp, mcp_server
from tests.support.stacks import openai_at

ADD = ("call_1", "add", '{"a": 1, "b": 2}')


@pytest_asyncio.fixture(params=[True, False], ids=["2026-07-28", "2025-11-25"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[RunningMcp]:
    async with mcp_server(newest=request.param) as running:
        yield running


@pytest_asyncio.fixture
async def served(upstream: Upstream, server: RunningMcp, tmp_path: Path) -> AsyncIterator[Served]:
    """A stack that knows the server as `llamas` too."""
    config = {"allow_private_addresses": True, "connect_timeout_s": 5.0}
    connectors = [{"provider_id": "builtin", "provider_type": "inline::builtin", "config": config}]
    providers = {"inference": [openai_at(upstream.url)], "connectors": connectors}
    named = [{"connector_id": "llamas", "url": server.url}]
    async with serving(run_config(providers=providers, connectors=named), tmp_path) as running:
        yield running


@pytest.fixture
def asking(served: Served, upstream: Upstream) -> Asking:
    return Asking(served.client, upstream)


def at(server: RunningMcp, label: str = "sums", **facts: object) -> Json:
    return {"type": "mcp", "server_label": label, "server_url": server.url, "require_approval": "never", **facts}


async def test_a_server_is_sent_the_credentials_of_the_request(asking: Asking, server: RunningMcp) -> None:
    server.wants = f"Bearer {SECRET}"
    _, response = await asking.both([calls(ADD), says("Three")], tools=[at(server, authorization=SECRET)])
    assert items(response, "mcp_call")[0]["output"] == "3" and texts(response) == ["Three"]
    assert not [one for one in server.asked if one.headers.get("authorization") != server.wants]
    assert not [call for call in asking.vendor.seen if SECRET.encode() in call.raw]


async def test_credentials_are_in_no_file_and_no_log(
    asking: Asking, server: RunningMcp, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tool = at(server, headers={"X-Key": SECRET}, authorization=SECRET)
    tool["server_url"] += f"?key={SECRET}"
    for fields in ({}, {"stream": True}, {"background": True}):
        asking.says(calls(ADD), says("Three"))
        body = {"model": MODEL, "input": "?", "tools": [tool], **fields}
        answered = await asking.client.post("/v1/responses", body)
        assert answered.status == 200 and SECRET.encode() not in answered.body
    async with asyncio.timeout(LIMIT_S):
        while len(server.ran) < 3:
            await asyncio.sleep(0.01)
    found = [path.name for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert not found and SECRET not in caplog.text
    assert {one.headers["x-key"] for one in server.asked} == {SECRET}


async def test_a_header_that_cannot_be_sent_is_refused_by_name(asking: Asking, server: RunningMcp) -> None:
    for headers in ({"a b": SECRET}, {"x": f"{SECRET}\r\ny: z"}, {"Host": SECRET}, {"Content-Length": "5"}):
        refused = await asking.refused({"tools": [at(server, headers=headers)]})
        assert refused["status"] == 400 and SECRET not in refused["message"]
        assert next(iter(headers)).lower() in refused["message"].lower()
    assert not server.asked


async def test_a_refusal_says_as_whom_the_server_was_asked(asking: Asking, server: RunningMcp) -> None:
    server.wants = "Bearer another"
    for given, whom in (
        ({}, "without credentials"),
        ({"authorization": SECRET}, "with the credentials of the request"),
    ):
        refused = await asking.refused({"tools": [at(server, **given)]})
        assert (refused["status"], refused["param"]) == (401, "tools[0]"), refused
        assert "`sums` cannot be listed" in refused["message"] and f"it was asked {whom}" in refused["message"]
        assert SECRET not in refused["message"]


async def test_a_connector_of_the_run_config_is_asked(asking: Asking, server: RunningMcp) -> None:
    asking.says(calls(ADD), says("Three"))
    tool = {"type": "mcp", "server_label": "mine", "connector_id": "llamas", "require_approval": "never"}
    answered = await asking.client.post("/v1/responses", {"model": MODEL, "input": "?", "tools": [tool]})
    assert answered.status == 200, answered.body
    [call] = items(answered.json(), "mcp_call")
    assert (call["server_label"], call["output"]) == ("mine", "3")
    tool["connector_id"] = "lamas"
    answered = await asking.client.post("/v1/responses", {"model": MODEL, "input": "?", "tools": [tool]})
    assert answered.status == 404 and "`llamas`" in answered.error["message"], answered.error


async def test_two_servers_with_the_same_tool_are_told_apart(asking: Asking, server: RunningMcp) -> None:
    async with mcp_server(name="others") as other:
        made = calls(("call_1", "sums__add", '{"a": 1, "b": 2}'), ("call_2", "others__add", '{"a": 3, "b": 4}'))
        asking.says(made, says("Done"))
        response = await asking.whole(tools=[at(server), at(other, "others")])
        assert {"sums__add", "others__add"} <= {*offered(asking)} and "add" not in offered(asking)
        assert [call["output"] for call in items(response, "mcp_call")] == ["3", "7"]
        assert (server.ran, other.ran) == (["add"], ["add"])


async def test_what_a_tool_says_of_its_failure_is_told(asking: Asking, server: RunningMcp) -> None:
    asking.says(calls(("call_1", "fails", "{}"), ("call_2", "add", '{"a": "x"}')), says("Sorry"))
    response = await asking.whole(tools=[at(server)])
    asleep, wrong = items(response, "mcp_call")
    assert asleep["status"] == wrong["status"] == "failed" and response["status"] == "completed"
    assert "the llama is asleep" in asleep["error"]["content"][0]["text"]
    assert "the llama is asleep" in told(asking)[-2]["content"] and told(asking)[-1]["content"]


async def test_what_is_large_or_no_text_is_bounded_and_named(asking: Asking, server: RunningMcp) -> None:
    asking.says(calls(("call_1", "long", '{"size": 900000}'), ("call_2", "picture", "{}")), says("Done"))
    large, picture = items(await asking.whole(tools=[at(server)]), "mcp_call")
    assert large["output"].startswith("aaa") and "cut here" in large["output"] and len(large["output"]) < 101_000
    assert picture["output"] == "a llama\n[image of type image/png, not shown]"


async def test_a_server_that_goes_away_in_the_middle_is_told_and_the_turn_goes_on(
    upstream: Upstream, tmp_path: Path, served: Served
) -> None:
    asking = Asking(served.client, upstream)
    async with mcp_server(newest=False) as going:
        tools = [at(going)]
        asking.says(calls(ADD), says("Three"))
        first = await asking.whole(tools=tools)
    asking.says(calls(ADD), says("It is gone"))
    second = await asking.whole(tools=tools, previous_response_id=first["id"])
    [call] = items(second, "mcp_call")
    assert (call["status"], call["error"]["type"]) == ("failed", "http_error"), call
    assert told(asking)[-1]["content"].startswith("The call failed: ") and texts(second) == ["It is gone"]
    async with mcp_server(newest=False, port=going.port):
        asking.says(calls(ADD), says("It is back"))
        third = await asking.whole(tools=tools, previous_response_id=second["id"])
        assert items(third, "mcp_call")[0]["output"] == "3"


@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "whole"])
async def test_a_caller_that_leaves_ends_the_call(asking: Asking, server: RunningMcp, streams: bool) -> None:
    asking.says(calls(("call_1", "slow", "{}")), says("Never"))
    body = json.dumps({"model": MODEL, "input": "?", "tools": [at(server)], "stream": streams}).encode()
    call = asking.client.call("POST", "/v1/responses", headers={"content-type": "application/json"}, body=body)
    async with asyncio.timeout(LIMIT_S):
        await server.started.wait()
        await call.leave()
        await server.cancelled.wait()
    asking.says(calls(ADD), says("Three"))
    assert items(await asking.whole(tools=[at(server)]), "mcp_call")[0]["output"] == "3", "the session goes on"


async def test_a_call_that_was_broken_off_is_told_as_such(asking: Asking, server: RunningMcp) -> None:
    asking.says(calls(("call_1", "slow", "{}")), says("Never"))
    body = json.dumps({"model": MODEL, "input": "?", "tools": [at(server)], "stream": True}).encode()
    call = asking.client.call("POST", "/v1/responses", headers={"content-type": "application/json"}, body=body)
    async with asyncio.timeout(LIMIT_S):
        await server.started.wait()
    await call.leave()
    [left] = (await asking.client.get("/v1/responses")).json()["data"]
    assert (left["status"], left["output"][1]["status"]) == ("incomplete", "incomplete")
    asking.says(says("So"))
    await asking.whole("And?", previous_response_id=left["id"])
    assert "broken off" in told(asking)[2]["content"]
