"""Calls of functions at every provider that claims them: whole, streamed, chosen, answered, and wrong schemas."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from runtime.conformance.abilities import needs
from runtime.conformance.asgi import Answered
from runtime.conformance.inference.subject import Subject

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCHEMAS: dict[str, dict[str, Any]] = {
    "find_weather": {
        "type": "object",
        "properties": {"city": {"enum": ["Rome", "Oslo"]}, "days": {"type": "integer", "minimum": 1, "maximum": 5}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "tell_time": {
        "type": "object",
        "properties": {"zone": {"enum": ["CET", "UTC"]}},
        "required": ["zone"],
        "additionalProperties": False,
    },
}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": f"To {name}.", "parameters": schema}}
    for name, schema in SCHEMAS.items()
]
PROMPT = [{"role": "user", "content": "What is the weather in Rome? Use find_weather."}]


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


async def with_tools(subject: Subject, **fields: Any) -> Answered:
    body = {"model": subject.chat, "messages": PROMPT, "tools": TOOLS, "temperature": 0, "max_tokens": 400, **fields}
    return await subject.client.post("/v1/chat/completions", body)


def calls_of(message: dict[str, Any]) -> list[tuple[str, Any]]:
    """Names and arguments, which are checked against the function's schema."""
    found = []
    for call in message.get("tool_calls") or ():
        assert call["type"] == "function" and call["id"]
        name, arguments = call["function"]["name"], json.loads(call["function"]["arguments"])
        jsonschema.validate(arguments, SCHEMAS[name])
        found.append((name, arguments))
    assert len({call["id"] for call in message.get("tool_calls") or ()}) == len(found)
    return found


def streamed(events: list[Any]) -> tuple[dict[str, Any], str | None]:
    """The message that the deltas of a stream make, and the finish reason."""
    message: dict[str, Any] = {"content": "", "tool_calls": []}
    finish = None
    for event in events:
        for choice in event["choices"]:
            assert finish is None, "a choice goes on after its finish reason"
            finish = choice["finish_reason"]
            message["content"] += choice["delta"].get("content") or ""
            for piece in choice["delta"].get("tool_calls") or ():
                if piece["index"] == len(message["tool_calls"]):
                    # The first part has what is told once.
                    assert piece["id"] and piece["type"] == "function" and piece["function"]["name"]
                    message["tool_calls"].append({**piece, "function": dict(piece["function"])})
                else:
                    assert piece["index"] == len(message["tool_calls"]) - 1
                    assert not piece.get("id") and not piece["function"].get("name")
                    message["tool_calls"][-1]["function"]["arguments"] += piece["function"]["arguments"]
    return message, finish


@needs("tools", "tool_choice")
async def test_a_required_call_is_valid_and_the_same_streamed(subject: Subject) -> None:
    answer = await with_tools(subject, tool_choice="required")
    assert answer.status == 200, answer.body
    (choice,) = answer.json()["choices"]
    calls = calls_of(choice["message"])
    assert calls
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    message, finish = streamed((await with_tools(subject, stream=True, tool_choice="required")).events())
    assert (calls_of(message), finish, message["content"]) == (calls, "tool_calls", "")


@needs("tools", "tool_choice")
@pytest.mark.parametrize("name", SCHEMAS)
async def test_the_function_that_is_named_is_called(subject: Subject, name: str) -> None:
    answer = await with_tools(subject, tool_choice=named(name))
    assert answer.status == 200, answer.body
    assert [called for called, _ in calls_of(answer.json()["choices"][0]["message"])] == [name]


@needs("tools", "tool_choice", "n")
async def test_each_of_n_answers_has_its_own_calls(subject: Subject) -> None:
    answer = await with_tools(subject, tool_choice=named("tell_time"), n=2, temperature=1, seed=1)
    assert answer.status == 200, answer.body
    ids = set()
    for choice in answer.json()["choices"]:
        assert [name for name, _ in calls_of(choice["message"])] == ["tell_time"]
        ids.add(choice["message"]["tool_calls"][0]["id"])
    assert len(ids) == 2


@needs("tools")
async def test_a_free_answer_is_text_or_calls_and_the_same_streamed(subject: Subject) -> None:
    answer = await with_tools(subject, max_tokens=24)
    assert answer.status == 200, answer.body
    (choice,) = answer.json()["choices"]
    content, finish = choice["message"]["content"], choice["finish_reason"]
    # A call is cut off by a limit like text is.
    calls = calls_of(choice["message"]) if finish == "tool_calls" else None
    assert calls or content is not None or finish == "length"
    message, streamed_finish = streamed(
        (await with_tools(subject, max_tokens=24, stream=True, tool_choice="auto")).events()
    )
    assert (message["content"], streamed_finish) == (content or "", finish)
    assert calls is None or calls_of(message) == calls


@needs("tools", "calls_unasked")
async def test_a_function_is_called_and_its_result_read(subject: Subject) -> None:
    choice = (await with_tools(subject, tool_choice="auto")).json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    (call,) = choice["message"]["tool_calls"]
    message, _ = streamed((await with_tools(subject, tool_choice="auto", stream=True)).events())
    assert calls_of(message) == calls_of(choice["message"])
    turns = [
        *PROMPT,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny"},
    ]
    after = (await with_tools(subject, messages=turns)).json()["choices"][0]
    assert after["finish_reason"] == "stop" and after["message"]["content"]


@needs("tools")
async def test_nothing_is_called_where_that_is_chosen(subject: Subject) -> None:
    answer = await with_tools(subject, tool_choice="none", max_tokens=20)
    assert answer.status == 200, answer.body
    (choice,) = answer.json()["choices"]
    assert not choice["message"].get("tool_calls") and isinstance(choice["message"]["content"], str)


@needs("tools")
async def test_an_answer_follows_the_result_of_a_call(subject: Subject) -> None:
    call = {"name": "find_weather", "arguments": '{"city": "Rome"}'}
    turns = [
        *PROMPT,
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": call}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny, 21 degrees"},
    ]
    answer = await with_tools(subject, messages=turns, max_tokens=40)
    assert answer.status == 200, answer.body
    assert answer.json()["choices"][0]["finish_reason"] in ("stop", "length", "tool_calls")


@needs("tools")
async def test_a_wrong_schema_of_parameters_is_a_400_with_its_place(subject: Subject) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"type": "strin"}}}}}
    answer = await with_tools(subject, tools=[TOOLS[0], tool])
    assert answer.status == 400
    assert answer.error["param"].startswith("tools[1].function.parameters.properties.a")


@needs("tools")
async def test_a_function_that_is_not_there_cannot_be_chosen(subject: Subject) -> None:
    answer = await with_tools(subject, tool_choice=named("nowhere"))
    assert (answer.status, answer.error["param"]) == (400, "tool_choice")
