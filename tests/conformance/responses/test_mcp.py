"""`mcp`: what the model is offered and told, what the output and the events have of it, and what goes wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.apis.connectors.protocol import ToolOutcome
from runtime.conformance.upstream.scripted import calls, says
from runtime.errors import AuthenticationError, UpstreamError, UpstreamUnreachable
from tests.conformance.responses.asking import WEATHER, Asking, kinds, texts
from tests.conformance.responses.mcp_asking import Servers, items, mcp, offered, told, types
from tests.support.examples.servers import READ_ONLY, text, tool

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMA = '{"city": "Lima"}'


async def test_a_tool_is_offered_called_and_told(asking: Asking, servers: Servers) -> None:
    said = [calls(("call_1", "forecast", LIMA)), says("Sunny")]
    events, response = await asking.both(said, tools=[mcp(server_description="Of today")])
    listed, call, message = response["output"]
    assert (listed["type"], listed["server_label"]) == ("mcp_list_tools", "weather")
    assert [one["name"] for one in listed["tools"]] == ["forecast", "book"]
    assert listed["tools"][0]["annotations"] == READ_ONLY
    assert (call["type"], call["status"], call["name"], call["arguments"]) == (
        "mcp_call", "completed", "forecast", LIMA,
    )  # fmt: skip
    assert call["output"] == "forecast {'city': 'Lima'}" and call["error"] is None
    assert message["content"][0]["text"] == "Sunny"
    assert kinds(events) == [
        "created", "in_progress",
        "output_item.added", "mcp_list_tools.in_progress", "mcp_list_tools.completed", "output_item.done",
        "output_item.added", "mcp_call.in_progress", "mcp_call_arguments.delta", "mcp_call_arguments.done",
        "mcp_call.completed", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "output_item.done", "completed",
    ]  # fmt: skip
    function = asking.vendor.calls("/chat/completions")[-1].json()["tools"][0]["function"]
    assert function["name"] == "forecast" and function["parameters"]["required"] == ["city"]
    assert function["description"] == "Does forecast.\n\n(weather: Of today)"
    assert told(asking)[-1] == {"role": "tool", "tool_call_id": "call_1", "content": call["output"]}
    assert servers.called[-1].arguments == {"city": "Lima"}


async def test_what_continues_reads_the_call_again_and_is_not_told_of_the_same_tools(
    asking: Asking, servers: Servers
) -> None:
    asking.says(calls(("call_1", "forecast", LIMA)), says("Sunny"))
    first = await asking.whole(tools=[mcp()])
    second = await asking.whole("And?", previous_response_id=first["id"], tools=[mcp()])
    assert types(second) == ["message"]
    roles = [message["role"] for message in told(asking)]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]
    [call] = told(asking)[1]["tool_calls"]
    assert call["function"] == {"name": "forecast", "arguments": LIMA}
    assert told(asking)[2]["content"] == "forecast {'city': 'Lima'}"
    servers.tools["http://weather"].append(tool("new"))
    third = await asking.whole("And?", previous_response_id=second["id"], tools=[mcp()])
    assert types(third) == ["mcp_list_tools", "message"]
    without = await asking.whole("And?", previous_response_id=third["id"])
    assert types(without) == ["message"] and offered(asking) == []


async def test_items_of_older_clients_are_read(asking: Asking, servers: Servers) -> None:
    """Of llama-stack, whose calls have a text for an error and no status, and of OpenAI's client before version 3."""
    call = {"type": "mcp_call", "id": "mcp_1", "server_label": "weather", "name": "forecast", "arguments": LIMA}
    listed = {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "weather"}
    history = [
        {"role": "user", "content": "Hi"},
        {**listed, "tools": [{"name": "forecast", "input_schema": {"type": "object"}}]},
        {**call, "output": "Sunny"},
        {**call, "id": "mcp_2", "error": "no such town"},
        {**call, "id": "mcp_3", "error": {"type": "http_error", "code": 500, "message": "it said 500"}},
    ]
    asking.says(says("Hi"))
    response = await asking.whole(history, tools=[mcp()])
    assert types(response) == ["mcp_list_tools", "message"], "the tools are others by now"
    outputs = [message["content"] for message in told(asking) if message["role"] == "tool"]
    assert outputs == ["Sunny", "The call failed: no such town", "The call failed: it said 500"]
    assert [len(message["tool_calls"]) for message in told(asking) if message["role"] == "assistant"] == [1, 1, 1]


async def test_calls_at_once_are_all_made(asking: Asking, servers: Servers) -> None:
    both = calls(("call_1", "forecast", LIMA), ("call_2", "book", '{"city": "Cusco"}'))
    _, response = await asking.both([both, says("Done")], tools=[mcp()])
    assert [(one["name"], one["status"]) for one in items(response, "mcp_call")] == [
        ("forecast", "completed"), ("book", "completed"),
    ]  # fmt: skip
    assert [message["tool_call_id"] for message in told(asking)[-2:]] == ["call_1", "call_2"]


async def test_two_servers_with_the_same_tool_are_told_apart(asking: Asking, servers: Servers) -> None:
    tools = [mcp(), mcp("other"), {**WEATHER, "name": "sell"}]
    asking.says(calls(("call_1", "other__forecast", LIMA)), says("Done"))
    response = await asking.whole(tools=tools)
    assert offered(asking) == ["weather__forecast", "book", "other__forecast", "other__sell", "sell"]
    [call] = items(response, "mcp_call")
    assert (call["server_label"], call["name"]) == ("other", "forecast")
    assert str(servers.called[-1].url) == "http://other"
    await asking.whole("And?", previous_response_id=response["id"], tools=tools)
    assert told(asking)[1]["tool_calls"][0]["function"]["name"] == "other__forecast"


async def test_names_that_fit_no_function_are_told_apart(asking: Asking, servers: Servers) -> None:
    long = "a" * 70
    servers.tools["http://weather"] = [tool(name) for name in ("be.ak", "be ak", long, long + "b")]
    asking.says(says("Hi"))
    await asking.whole(tools=[mcp()])
    names = offered(asking)
    assert len({*names}) == 4 and max(map(len, names)) == 64 and names[0] == "be_ak"


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (["book"], ["book"]),
        ({"tool_names": ["forecast"]}, ["forecast"]),
        ({"read_only": True}, ["forecast"]),
        ({"read_only": False}, ["book"]),
        ({"tool_names": ["book"], "read_only": True}, []),
        ({}, ["forecast", "book"]),
        (None, ["forecast", "book"]),
    ],
)
async def test_the_model_is_offered_what_is_allowed(
    asking: Asking, servers: Servers, allowed: Any, expected: list[str]
) -> None:
    asking.says(says("Hi"))
    response = await asking.whole(tools=[mcp(allowed_tools=allowed)])
    assert offered(asking) == expected
    assert [one["name"] for one in items(response, "mcp_list_tools")[0]["tools"]] == expected


async def test_an_allowed_tool_that_is_not_there_is_warned_of(asking: Asking, servers: Servers) -> None:
    asking.says(says("Hi"))
    body = {"model": "vendor/small-chat", "input": "Hi", "tools": [mcp(allowed_tools=["book", "bok"])]}
    answered = await asking.client.post("/v1/responses", body)
    assert "`tools[0].allowed_tools` names `bok`" in answered.headers["x-llama-warnings"]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ({"type": "mcp", "server_label": "weather", "name": "book"}, ["book"]),
        ({"type": "mcp", "server_label": "weather"}, ["forecast", "book"]),
        ({"type": "allowed_tools", "tools": [{"type": "mcp", "server_label": "weather"}]}, ["forecast", "book"]),
    ],
)
async def test_a_choice_names_a_server_or_its_tool(
    asking: Asking, servers: Servers, choice: dict[str, Any], sent: list[str]
) -> None:
    asking.says(says("Hi"))
    await asking.whole(tools=[mcp(), WEATHER], tool_choice=choice)
    given = asking.vendor.calls("/chat/completions")[-1].json()["tool_choice"]
    one = [given] if given["type"] == "function" else given["allowed_tools"]["tools"]
    assert [tool["function"]["name"] for tool in one] == sent


async def test_a_tool_that_fails_is_a_failed_call_and_the_response_goes_on(asking: Asking, servers: Servers) -> None:
    servers.says["forecast"] = text("no such town", is_error=True)
    servers.says["book"] = UpstreamUnreachable("`weather` cannot be reached", provider_id="c")
    both = calls(("call_1", "forecast", LIMA), ("call_2", "book", LIMA))
    events, response = await asking.both([both, says("Sorry")], tools=[mcp()])
    failed, down = items(response, "mcp_call")
    assert (failed["status"], failed["output"], response["status"]) == ("failed", None, "completed")
    assert failed["error"] == {
        "type": "mcp_tool_execution_error", "content": [{"type": "text", "text": "no such town"}],
    }  # fmt: skip
    assert down["error"] == {"type": "http_error", "code": 503, "message": "`weather` cannot be reached"}
    assert [one["content"] for one in told(asking)[-2:]] == [
        "The tool failed: no such town", "The call failed: `weather` cannot be reached",
    ]  # fmt: skip
    assert kinds(events).count("mcp_call.failed") == 2
    before = told(asking)[-2:]
    await asking.whole("And?", previous_response_id=response["id"], tools=[mcp()])
    again = [message["content"] for message in told(asking) if message["role"] == "tool"]
    assert again == [message["content"] for message in before]


async def test_a_tool_that_has_gone_is_a_failed_call(asking: Asking, servers: Servers) -> None:
    asking.says(calls(("call_1", "forecast", LIMA)), says("Sorry"))
    servers.says["forecast"] = UpstreamError("it said 500", provider_id="c", upstream_status=500)
    [call] = items(await asking.whole(tools=[mcp()]), "mcp_call")
    assert call["error"]["code"] == 500


async def test_arguments_that_make_no_sense_are_said_once_and_then_fail(asking: Asking, servers: Servers) -> None:
    broken = [calls((f"call_{at}", "forecast", '{"city": ')) for at in range(2)]
    _, response = await asking.both([*broken, says("Sorry")], tools=[mcp()])
    [call] = items(response, "mcp_call")
    assert (call["status"], call["error"]["type"]) == ("failed", "mcp_protocol_error")
    assert "cannot be read" in call["error"]["message"] and not servers.called
    assert "Call `forecast` again with a JSON object" in told(asking, -2)[-1]["content"]
    assert texts(response) == ["Sorry"]


@pytest.mark.parametrize("arguments", ["[1]", "7", '"x"', "{"])
async def test_arguments_that_are_no_object_are_no_arguments(asking: Asking, servers: Servers, arguments: str) -> None:
    asking.says(calls(("call_1", "forecast", arguments)), says("Sorry"))
    response = await asking.whole(tools=[mcp(require_approval="always")])
    assert (response["status"], servers.called) == ("completed", []) and texts(response) == ["Sorry"]


async def test_no_arguments_are_an_empty_object(asking: Asking, servers: Servers) -> None:
    _, response = await asking.both([calls(("call_1", "forecast", "")), says("Done")], tools=[mcp()])
    assert items(response, "mcp_call")[0]["arguments"] == "{}" and servers.called[-1].arguments == {}


async def test_what_a_tool_gives_back_is_bounded_and_that_is_said(asking: Asking, servers: Servers) -> None:
    servers.says["forecast"] = text("x" * 1_000_000)
    asking.says(calls(("call_1", "forecast", LIMA)), says("Done"))
    [call] = items(await asking.whole(tools=[mcp()]), "mcp_call")
    assert len(call["output"]) < 101_000
    assert call["output"].endswith("[cut here: 1000000 characters, of which 100000 are shown]")
    assert told(asking)[-1]["content"] == call["output"]


async def test_what_is_no_text_is_named(asking: Asking, servers: Servers) -> None:
    parts: list[dict[str, Any]] = [
        {"type": "image", "data": "aGk=", "mimeType": "image/png"},
        {"type": "resource_link", "uri": "file:///a", "name": "a"},
        {"type": "resource", "resource": {"uri": "file:///b", "text": "in b"}},
        {"type": "resource", "resource": {"uri": "file:///c", "blob": "aGk=", "mimeType": "application/pdf"}},
    ]
    servers.says["forecast"] = ToolOutcome(content=parts)
    servers.says["book"] = ToolOutcome(content=[], structured_content={"seats": 2})
    asking.says(calls(("call_1", "forecast", LIMA), ("call_2", "book", LIMA)), says("Done"))
    seen, booked = items(await asking.whole(tools=[mcp()]), "mcp_call")
    assert seen["output"].split("\n") == [
        "[image of type image/png, not shown]", "a <file:///a>", "<file:///b>", "in b",
        "[application/pdf of <file:///c>, not shown]",
    ]  # fmt: skip
    assert json.loads(booked["output"]) == {"seats": 2}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UpstreamUnreachable("`weather` cannot be reached", provider_id="c"), 503),
        (AuthenticationError("`weather` wants a token, and was asked without one"), 401),
    ],
)
async def test_a_server_that_cannot_be_listed_is_an_error_before_the_first_byte(
    asking: Asking, servers: Servers, error: Any, status: int
) -> None:
    servers.down = error
    before = len(asking.vendor.seen)
    refused = await asking.refused({"tools": [WEATHER, mcp()]})
    assert (refused["status"], refused["param"]) == (status, "tools[1]")
    assert refused["message"] == f"The tools of the MCP server `weather` cannot be listed: {error.message}"
    assert len(asking.vendor.seen) == before


async def test_of_several_servers_the_first_that_fails_is_told(asking: Asking, servers: Servers) -> None:
    servers.down = UpstreamUnreachable("it cannot be reached", provider_id="c")
    refused = await asking.refused({"tools": [mcp(), mcp("other")]})
    assert refused["param"] == "tools[0]" and len(servers.listed) == 4, "both were asked, each time"


async def test_a_connector_is_asked_by_its_name(asking: Asking, servers: Servers) -> None:
    asking.says(says("Hi"))
    tool = {"type": "mcp", "server_label": "w", "connector_id": "weather", "require_approval": "never"}
    answered = await asking.client.post("/v1/responses", {"model": "vendor/small-chat", "input": "?", "tools": [tool]})
    assert answered.status == 404 and "`weather`" in answered.error["message"], "none is registered"


@pytest.mark.parametrize(
    ("tools", "param", "words"),
    [
        ([{"type": "mcp", "server_label": "a"}], "tools[0].server_url", "needs `server_url` or `connector_id`"),
        ([mcp(connector_id="x")], "tools[0].connector_id", "cannot both be given"),
        ([mcp(), mcp()], "tools", "has the `server_label` `weather`, as another tool has"),
        ([mcp(require_approval={"nver": ["a"]})], "tools[0].require_approval.nver", "nver"),
        ([mcp(require_approval="no")], "tools[0].require_approval", "`always`, `never` or an object"),
        ([mcp(allowed_tools={"tool_name": ["a"]})], "tools[0].allowed_tools.tool_name", "tool_name"),
        ([mcp(tunnel_id="t")], "tools[0].tunnel_id", "tunnel_id"),
        ([mcp(headers={"Authorization": "c"}, authorization="d")], "tools[0].authorization", "the header"),
        ([{"type": "mcp", "server_url": "http://a"}], "tools[0].server_label", "is missing"),
    ],
)
async def test_a_wrong_tool_is_named_with_its_place(
    asking: Asking, servers: Servers, tools: list[Any], param: str, words: str
) -> None:
    refused = await asking.refused({"tools": tools})
    assert (refused["status"], refused["param"]) == (400, param), refused
    assert words in refused["message"], refused
