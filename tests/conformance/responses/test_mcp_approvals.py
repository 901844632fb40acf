"""Calls of MCP servers that the caller has to allow: who is asked, what is answered, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.conformance.upstream.scripted import calls, says
from tests.conformance.responses.asking import WEATHER, Asking, Json, kinds, texts
from tests.conformance.responses.mcp_asking import Servers, items, mcp, told, types

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMA = '{"city": "Lima"}'
ALWAYS = mcp(require_approval="always")


def answer(request: Json, approve: bool = True, **facts: Any) -> Json:
    return {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": approve, **facts}


async def asked_for(asking: Asking) -> tuple[Json, Json]:
    """A response that asks for a call, and the item that does."""
    asking.says(calls(("call_1", "forecast", LIMA)), says("Done"))
    response = await asking.whole(tools=[ALWAYS])
    [request] = items(response, "mcp_approval_request")
    return response, request


@pytest.mark.parametrize(
    ("required", "asks"),
    [
        ("always", {"forecast", "book"}),
        ("never", set()),
        (None, {"forecast", "book"}),
        ({"never": ["forecast"]}, {"book"}),
        ({"never": {"tool_names": ["book"]}}, {"forecast"}),
        ({"never": {"read_only": True}}, {"book"}),
        ({"never": {}}, {"forecast", "book"}),
        ({"always": ["book"]}, {"forecast", "book"}),
        ({"always": ["book"], "never": ["forecast"]}, {"book"}),
        ({"always": ["book"], "never": {"tool_names": ["forecast", "book"]}}, {"book"}),
    ],
)
async def test_the_caller_is_asked_as_the_tool_says(
    asking: Asking, servers: Servers, required: Any, asks: set[str]
) -> None:
    asking.says(calls(("call_1", "forecast", LIMA), ("call_2", "book", LIMA)), says("Done"))
    response = await asking.whole(tools=[mcp(require_approval=required)])
    assert {item["name"] for item in items(response, "mcp_approval_request")} == asks
    assert {item["name"] for item in items(response, "mcp_call")} == {"forecast", "book"} - asks
    assert response["status"] == "completed" and bool(texts(response)) == (not asks)


async def test_a_call_that_is_allowed_is_made_first_of_all(asking: Asking, servers: Servers) -> None:
    response, request = await asked_for(asking)
    assert types(response) == ["mcp_list_tools", "mcp_approval_request"] and not servers.called
    assert (request["name"], request["server_label"], request["arguments"]) == ("forecast", "weather", LIMA)
    previous = {"previous_response_id": response["id"], "tools": [ALWAYS]}
    events, second = await asking.both([says("Sunny")], [answer(request)], **previous)
    call, message = second["output"]
    assert (call["type"], call["approval_request_id"], call["output"]) == (
        "mcp_call", request["id"], "forecast {'city': 'Lima'}",
    )  # fmt: skip
    assert kinds(events)[:6] == [
        "created", "in_progress", "output_item.added", "mcp_call.in_progress", "mcp_call_arguments.delta",
        "mcp_call_arguments.done",
    ]  # fmt: skip
    assert [one["role"] for one in told(asking)] == ["user", "assistant", "tool"]
    assert told(asking)[1]["tool_calls"][0]["function"] == {"name": "forecast", "arguments": LIMA}
    assert message["content"][0]["text"] == "Sunny" and len(servers.called) == 2
    await asking.whole("And?", previous_response_id=second["id"], tools=[ALWAYS])
    assert len(servers.called) == 2, "once for each response"
    assert [one["role"] for one in told(asking)] == ["user", "assistant", "tool", "assistant", "user"]


@pytest.mark.parametrize("reason", ["too dear", None])
async def test_a_call_that_is_refused_is_told_with_its_reason(
    asking: Asking, servers: Servers, reason: str | None
) -> None:
    response, request = await asked_for(asking)
    previous = {"previous_response_id": response["id"], "tools": [ALWAYS]}
    asking.says(says("As you like"))
    second = await asking.whole([answer(request, False, **({"reason": reason} if reason else {}))], **previous)
    assert types(second) == ["message"] and not servers.called
    _, called, refused = told(asking)
    assert called["tool_calls"][0]["function"] == {"name": "forecast", "arguments": LIMA}
    assert refused["content"] == f"The user did not allow this call: {reason or 'no reason is given'}"


async def test_functions_and_calls_to_be_allowed_are_answered_together(asking: Asking, servers: Servers) -> None:
    """Whatever the order of the answers, each is behind the message that calls it."""
    asking.says(
        calls(("call_f", "get_weather", LIMA), ("call_g", "get_weather", LIMA), ("call_m", "forecast", LIMA)),
        says("Done"),
    )
    response = await asking.whole(tools=[ALWAYS, WEATHER])
    assert types(response) == ["mcp_list_tools", "function_call", "function_call", "mcp_approval_request"]
    [request] = items(response, "mcp_approval_request")
    outputs = [{"type": "function_call_output", "call_id": id, "output": id} for id in ("call_f", "call_g")]
    previous = {"previous_response_id": response["id"], "tools": [ALWAYS, WEATHER]}
    await asking.whole([outputs[0], answer(request, False), outputs[1]], **previous)
    _, calling, *answers, refused, why = told(asking)
    assert [one["id"] for one in calling["tool_calls"]] == [one["tool_call_id"] for one in answers]
    assert refused["tool_calls"][0]["id"] == why["tool_call_id"] and "did not allow" in why["content"]
    second = await asking.whole([outputs[0], answer(request), outputs[1]], **previous)
    assert types(second) == ["mcp_call", "message"]
    assert [one["role"] for one in told(asking)] == ["user", "assistant", "tool", "tool", "assistant", "tool"]


async def test_an_answer_to_nothing_is_refused(asking: Asking, servers: Servers) -> None:
    response, _ = await asked_for(asking)
    _, asked = await asked_for(asking)
    for answered, words in (({"id": "mcpr_none"}, "mcpr_none"), (asked, asked["id"])):
        for approve in (True, False):
            refused = await asking.refused(
                {"input": [answer(answered, approve)], "previous_response_id": response["id"], "tools": [ALWAYS]}
            )
            assert (refused["status"], refused["param"]) == (400, "input") and f"`{words}`" in refused["message"]
    assert not servers.called


async def test_a_second_answer_is_refused(asking: Asking, servers: Servers) -> None:
    response, request = await asked_for(asking)
    previous = {"previous_response_id": response["id"], "tools": [ALWAYS]}
    refused = await asking.refused({"input": [answer(request), answer(request, False)], **previous})
    assert refused["status"] == 400 and f"`{request['id']}` has two answers" in refused["message"]
    asking.says(says("Done"))
    second = await asking.whole([answer(request)], **previous)
    refused = await asking.refused(
        {"input": [answer(request)], "tools": [ALWAYS], "previous_response_id": second["id"]}
    )
    assert refused["status"] == 400 and f"`{request['id']}` has two answers" in refused["message"]
    assert len(servers.called) == 1


async def test_a_caller_that_keeps_all_items_allows_a_call_once(asking: Asking, servers: Servers) -> None:
    response, request = await asked_for(asking)
    history = [{"role": "user", "content": "Hi"}, *response["output"], answer(request)]
    asking.says(says("Sunny"))
    second = await asking.whole(history, tools=[ALWAYS], store=False)
    assert types(second) == ["mcp_call", "message"] and len(servers.called) == 1
    more = [*history, *second["output"], {"role": "user", "content": "And?"}]
    third = await asking.whole(more, tools=[ALWAYS], store=False)
    assert types(third) == ["message"] and len(servers.called) == 1
    without = [item for item in more if item.get("type") != "mcp_call"]
    await asking.whole(without, tools=[ALWAYS], store=False)
    assert len(servers.called) == 1, "what the model said behind the answer was said with the call made"


async def test_an_allowed_call_needs_its_server_and_tool(asking: Asking, servers: Servers) -> None:
    response, request = await asked_for(asking)
    body = {"input": [answer(request)], "previous_response_id": response["id"]}
    for tools, words in (
        ([], "its server `weather` is not among `tools`"),
        ([mcp("other")], "its server `weather` is not among `tools`"),
        ([mcp(allowed_tools=["book"])], "no tool `forecast` of `weather` may be called"),
    ):
        refused = await asking.refused({**body, "tools": tools})
        assert refused["status"] == 400 and words in refused["message"], refused
    assert not servers.called


async def test_an_answer_that_does_not_come_holds_up_nothing(asking: Asking, servers: Servers) -> None:
    response, request = await asked_for(asking)
    asking.says(says("Hello"))
    second = await asking.whole("Never mind", previous_response_id=response["id"], tools=[ALWAYS])
    assert [one["role"] for one in told(asking)] == ["user", "user"]
    third = await asking.whole([answer(request)], previous_response_id=second["id"], tools=[ALWAYS])
    assert types(third) == ["mcp_call", "message"]
