"""The clients that others have made, asking for responses: plain, streamed, kept, with functions, and typed."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.conformance.upstream.scripted import Script, calls, says
from tests.processes.clients.gateway import CHAT, Gateway, check_person, each_of, having
from tests.support.mcp_server import mcp_server
from tests.support.official_clients import Running, official_clients
from tests.support.stack_home import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.network_registry, pytest.mark.asyncio(loop_scope="module")]
LOOP = [
    calls(("call_1", "get_weather", '{"city": "Lima"}')),
    calls(("call_2", "get_time", '{"city": "Lima", "zone": "utc"}'), ("call_3", "get_weather", '{"city": "Oslo"}')),
    calls(("call_4", "get_time", '{"city": "Oslo", "zone": "local"}')),
    says("It ", "rains."),
    says("Again."),
]
"""Three turns with calls, an answer, and another one."""
ASK_SERVERS = (
    "openai",
    "openai-1",
    "openai-agents",
    "llama-stack-client-0.3",
    "llama-stack-client-0.7",
    "ogx-client-1.1",
    "ogx-client",
    "ai-sdk-openai",
)


@having("responses")
async def test_a_response_is_the_same_whole_and_streamed(client: Running, gateway: Gateway) -> None:
    told = await client("responses", url=gateway.at(client), model=CHAT)
    assert told["status"] == "completed"
    assert len(told["text"].split()) == told["parts"] == 12
    assert told["text"] == told["streamed"] == told["joined"]
    assert told["usage"] == told["streamed_usage"] == [5, 12, 17]


@having("response_kept")
async def test_a_response_is_read_continued_and_deleted(client: Running, gateway: Gateway) -> None:
    told = await client("response_kept", url=gateway.at(client), model=CHAT)
    assert told.pop("not_found")["type"] == client.facts.not_found
    items = ["message"] * 3  # two of the first response, one of the second's request
    assert told == {"read": True, "instructions": "Be short.", "items": items, "previous": True}


@having("response_tools")
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
async def test_functions_are_called_for_several_turns(client: Running, gateway: Gateway, streams: bool) -> None:
    """However a client hands the history on, the model sees the same one."""
    gateway.vendor.misbehaves = script = Script(*LOOP)
    try:
        told = await client("response_tools", url=gateway.at(client), model=CHAT, streams=streams)
    finally:
        gateway.vendor.misbehaves = None
    assert [(call["name"], call["arguments"]["city"]) for call in told["calls"]] == [
        ("get_weather", "Lima"), ("get_time", "Lima"), ("get_weather", "Oslo"), ("get_time", "Oslo"),
    ]  # fmt: skip
    assert (told["answer"], told["again"]) == ("It rains.", "Again.")
    assert [bool(asked.get("stream")) for asked in script.asked] == [streams] * 5
    assert [_shown(message) for message in script.asked[-1]["messages"]] == [
        ("user", "Use get_weather and get_time for Paris"),
        ("assistant", ["call_1"]),
        ("call_1", "get_weather of Lima"),
        ("assistant", ["call_2", "call_3"]),
        ("call_2", "get_time of Lima"),
        ("call_3", "get_weather of Oslo"),
        ("assistant", ["call_4"]),
        ("call_4", "get_time of Oslo"),
        ("assistant", "It rains."),
        ("user", "Say something about the sea"),
    ]


@each_of(client for client in official_clients() if client.id in ASK_SERVERS)
async def test_tools_of_a_server_are_called_allowed_and_refused(client: Running, gateway: Gateway) -> None:
    call = calls(("call_1", "add", '{"a": 1, "b": 2}'))
    script = Script(*[call, says("Three")] * 4)
    gateway.vendor.misbehaves = script
    try:
        async with mcp_server() as server:
            told = await client("response_mcp", url=gateway.at(client), model=CHAT, server=server.url)
            keys = {one.headers.get("x-key") for one in server.asked if one.method.startswith("tools/")}
    finally:
        gateway.vendor.misbehaves = None
    called = [["sums", "add", "3"]]
    assert told == {
        "whole": called,
        "events": [f"response.{kind}" for kind in (
            "mcp_list_tools.in_progress", "mcp_list_tools.completed", "mcp_call.in_progress",
            "mcp_call_arguments.delta", "mcp_call_arguments.done", "mcp_call.completed")],
        "allowed": [{"a": 1, "b": 2}, called, "Three"],
        "refused": [{"a": 1, "b": 2}, [], "Three"],
    }  # fmt: skip
    assert server.ran == ["add"] * 3 and keys == {"a-key"}
    assert "did not allow" in script.asked[-1]["messages"][-1]["content"]


@having("response_structured")
async def test_structured_responses_are_of_their_type(client: Running, gateway: Gateway) -> None:
    told = await client("response_structured", url=gateway.at(client), model=CHAT)
    for way, person in told.items():
        check_person(person, way)


@each_of(client for client in official_clients() if client.label == "openai (Python)")
async def test_the_stream_helper_puts_calls_together(client: Running, gateway: Gateway) -> None:
    told = await client("response_helpers", url=gateway.at(client), model=CHAT)
    assert told["types"][0] == "response.created" and told["types"][-1] == "response.completed"
    assert told["final"] == ["function_call", "function_call"]
    assert '"city"' in told["arguments"][0] and told["arguments"][0].endswith("}")


@each_of(client for client in official_clients() if client.id == "openai")
async def test_an_embedded_model_answers(client: Running, stack: Stack, text_model: str) -> None:
    told = await client("responses", url=stack.url, model=text_model, max_output_tokens=6, temperature=0)
    assert told["status"] in ("completed", "incomplete") and 0 < told["usage"][1] <= 6 and told["parts"] > 1
    assert told["text"] == told["streamed"] == told["joined"] and told["usage"] == told["streamed_usage"]


def _shown(message: dict[str, Any]) -> tuple[str, Any]:
    """Who says or answers what, or calls what."""
    who = message.get("tool_call_id") or message["role"]
    return who, message.get("content") or [call["id"] for call in message.get("tool_calls") or ()]
