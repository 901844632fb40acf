"""The local vendor itself, asked by OpenAI's own client: what other tests take for OpenAI's behaviour."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import jsonschema
import pytest
import pytest_asyncio
from openai import AsyncOpenAI, BadRequestError, UnprocessableEntityError
from pydantic import BaseModel

from runtime.conformance.upstream import CHAT_MODEL, Habits, Upstream, upstream_server
from tests.support import at_vendor

pytestmark = pytest.mark.asyncio(loop_scope="module")
upstream = at_vendor.upstream
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TIME = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}
ASK: Any = {"role": "user", "content": "What do get_weather and get_time say?"}


class Step(BaseModel):
    """A schema that holds itself."""

    name: str
    weight: float
    after: list[Step]
    beside: Step | None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(vendor_of_file: Upstream) -> AsyncIterator[AsyncOpenAI]:
    """One for all tests: it reads the authorities of this machine, which takes 20 ms."""
    async with AsyncOpenAI(base_url=vendor_of_file.url, api_key="none", max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def vendor(upstream: Upstream, client: AsyncOpenAI) -> AsyncOpenAI:
    return client


async def asked(vendor: AsyncOpenAI, *messages: Any, **fields: Any) -> Any:
    given: list[Any] = list(messages) or [ASK]
    return (await vendor.chat.completions.create(model=CHAT_MODEL, messages=given, **fields)).choices[0]


async def test_tools_are_called_in_parallel_and_their_answers_repeated(vendor: AsyncOpenAI) -> None:
    choice = await asked(vendor, tools=[WEATHER, TIME])
    assert choice.finish_reason == "tool_calls" and choice.message.content is None
    assert [call.function.name for call in choice.message.tool_calls] == ["get_weather", "get_time"]
    assert json.loads(choice.message.tool_calls[0].function.arguments)["city"]
    told = [{"role": "tool", "tool_call_id": call.id, "content": call.id} for call in choice.message.tool_calls]
    end = await asked(vendor, ASK, choice.message, *told, tools=[WEATHER, TIME])
    assert end.finish_reason == "stop" and all(call.id in end.message.content for call in choice.message.tool_calls)


async def test_a_stream_of_tool_calls_adds_up_to_the_whole_answer(vendor: AsyncOpenAI) -> None:
    whole = await asked(vendor, tools=[WEATHER, TIME])
    async with vendor.chat.completions.stream(model=CHAT_MODEL, messages=[ASK], tools=[WEATHER, TIME]) as stream:
        added = (await stream.get_final_completion()).choices[0].message.tool_calls
    assert [(call.id, call.function.arguments) for call in added or ()] == [
        (call.id, call.function.arguments) for call in whole.message.tool_calls
    ]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"tool_choice": "none"}, []),
        ({"tool_choice": "auto", "parallel_tool_calls": False}, ["get_weather"]),
        ({"tool_choice": {"type": "function", "function": {"name": "get_time"}}}, ["get_time"]),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TIME]}}},
            ["get_time"],
        ),
    ],
)
async def test_the_tool_choice_is_kept(vendor: AsyncOpenAI, fields: dict[str, Any], names: list[str]) -> None:
    choice = await asked(vendor, tools=[WEATHER, TIME], **fields)
    assert [call.function.name for call in choice.message.tool_calls or ()] == names


async def test_required_calls_what_was_not_called_yet(vendor: AsyncOpenAI) -> None:
    first = await asked(vendor, {"role": "user", "content": "Go"}, tools=[WEATHER, TIME], tool_choice="required")
    [call] = first.message.tool_calls
    told = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    second = await asked(vendor, ASK, first.message, told, tools=[WEATHER, TIME], tool_choice="required")
    assert [each.function.name for each in second.message.tool_calls] == ["get_time"]


async def test_a_structured_answer_is_valid_and_the_same_streamed(vendor: AsyncOpenAI) -> None:
    answer = await vendor.chat.completions.parse(model=CHAT_MODEL, messages=[ASK], response_format=Step)
    parsed = answer.choices[0].message.parsed
    assert parsed is not None and parsed.name
    async with vendor.chat.completions.stream(model=CHAT_MODEL, messages=[ASK], response_format=Step) as stream:
        assert (await stream.get_final_completion()).choices[0].message.parsed == parsed
    anything = await asked(
        vendor, {"role": "user", "content": "as JSON"}, response_format={"type": "json_object"}, n=2, seed=3
    )
    jsonschema.validate(json.loads(anything.message.content), {"type": "object"})


async def test_reasoning_comes_before_the_answer_and_is_counted(vendor: AsyncOpenAI) -> None:
    fields: Any = {"reasoning_effort": "low", "stream_options": {"include_usage": True}, "stream": True}
    stream = await vendor.chat.completions.create(model=CHAT_MODEL, messages=[ASK], **fields)
    chunks = [chunk async for chunk in stream]
    deltas = [choice.delta.model_dump(exclude_none=True) for chunk in chunks for choice in chunk.choices]
    kinds = [kind for delta in deltas for kind in delta if kind in ("reasoning_content", "content") and delta[kind]]
    assert kinds == sorted(kinds, reverse=True) and kinds.count("reasoning_content") > 1
    details = chunks[-1].usage.completion_tokens_details
    assert details.reasoning_tokens == kinds.count("reasoning_content")


async def test_other_content_is_counted_in_the_answer(vendor: AsyncOpenAI) -> None:
    parts = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
    ]
    choice = await asked(vendor, {"role": "user", "content": parts})
    assert choice.message.content.startswith("2 image 1 audio 1 file ")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url"),
        ({"messages": [ASK, {"role": "tool", "content": "a"}]}, "messages[1].tool_call_id"),
        ({"messages": [ASK, {"role": "tool", "content": "a", "tool_call_id": "x"}]}, "messages[1].role"),
        ({"tools": []}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": "thing"}}}]},
            "tools[0].function.parameters",
        ),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TIME], "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
        ({"response_format": {"type": "json_object"}}, "messages"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "strict": True, "schema": {"type": "object", "properties": {}}},
                }
            },
            "response_format",
        ),
    ],
)
async def test_a_malformed_request_is_refused_by_name(vendor: AsyncOpenAI, fields: dict[str, Any], param: str) -> None:
    body = {"model": CHAT_MODEL, "messages": [ASK], **fields}
    with pytest.raises(BadRequestError) as caught:
        await vendor.post("/chat/completions", cast_to=object, body=body)
    assert caught.value.param == param, caught.value.message


async def test_a_vendor_of_other_habits() -> None:
    habits = Habits(
        root="/openai/v2", key_header="api-key", key_prefix="", refused_fields=frozenset({"user"}), refused_status=422,
        reasoning_field="reasoning", usage="running", error=lambda refused: [{"detail": refused.message}],
    )  # fmt: skip
    async with upstream_server(make=partial(Upstream, habits)) as other:
        other.key = "k"
        client = AsyncOpenAI(base_url=other.url, api_key="none", default_headers={"api-key": "k"}, max_retries=0)
        async with client:
            fields: Any = {"reasoning_effort": "high", "stream": True}
            stream = await client.chat.completions.create(model=CHAT_MODEL, messages=[ASK], **fields)
            chunks = [chunk async for chunk in stream]
            counts = [chunk.usage.completion_tokens for chunk in chunks if chunk.usage]
            assert len(counts) == len(chunks) and counts == sorted(counts) and counts[-1] > counts[0]
            assert any("reasoning" in (choice.delta.model_extra or {}) for chunk in chunks for choice in chunk.choices)
            raw = await client.chat.completions.with_raw_response.create(model=CHAT_MODEL, messages=[ASK])
            assert raw.parse().usage is not None
            with pytest.raises(UnprocessableEntityError) as caught:
                await asked(client, user="a")
            assert caught.value.response.json() == [{"detail": "Unrecognized request argument supplied: user"}]
