"""What an answer says, in each of the protocols that it can be written in."""

from __future__ import annotations

import base64
from array import array
from typing import Any

import pytest

from runtime.recording.said import said, text_of

CALL = {"name": "weather", "value": {"city": "Rome"}}


def events(*data: Any) -> dict[str, Any]:
    return {"status": 200, "events": [{"data": one} for one in data]}


def whole(value: Any) -> dict[str, Any]:
    return {"status": 200, "json": value}


def chunk(**delta: Any) -> dict[str, Any]:
    finish = delta.pop("finish", None)
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def openai_call(arguments: str, **facts: Any) -> dict[str, Any]:
    return {"index": 0, **facts, "function": {**facts.pop("function", {}), "arguments": arguments}}


OPENAI = events(
    chunk(role="assistant", content="It "),
    chunk(content="rains", reasoning_content="hm"),
    chunk(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "weather", "arguments": '{"city"'}}]),
    chunk(tool_calls=[openai_call(': "Rome"}')]),
    chunk(finish="tool_calls"),
    {"choices": [], "usage": {"prompt_tokens": 3, "total_tokens": 9}},
    "[DONE]",
)
OPENAI_WHOLE = whole({
    "choices": [{
        "index": 0,
        "finish_reason": "tool_calls",
        "message": {
            "content": "It rains",
            "reasoning": "hm",
            "tool_calls": [{"function": {"name": "weather", "arguments": '{"city": "Rome"}'}}],
        },
    }],
    "usage": {"prompt_tokens": 3, "total_tokens": 9},
})  # fmt: skip
RESPONSE = {
    "object": "response",
    "status": "completed",
    "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "It rains"}]},
        {"type": "function_call", "name": "weather", "arguments": '{"city": "Rome"}'},
    ],
    "usage": {"input_tokens": 3, "total_tokens": 9},
}
ANTHROPIC = events(
    {"type": "message_start", "message": {"type": "message", "content": [], "usage": {"input_tokens": 3}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "It rains"}},
    {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "name": "weather", "input": {}}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"city": "Ro'}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": 'me"}'}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 6}},
)
ANTHROPIC_WHOLE = whole({
    "type": "message",
    "stop_reason": "tool_use",
    "content": [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "It rains"},
        {"type": "tool_use", "name": "weather", "input": {"city": "Rome"}},
    ],
    "usage": {"input_tokens": 3, "output_tokens": 6},
})  # fmt: skip
GOOGLE = events(
    {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}, {"text": "It "}]}}]},
    {"candidates": [{"content": {"parts": [{"text": "rains"}, {"functionCall": {"name": "weather",
     "args": {"city": "Rome"}}}]}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 3}},
)  # fmt: skip
CONVERSE = whole({
    "output": {"message": {"content": [{"text": "It rains"}, {"toolUse": {"name": "weather",
     "input": {"city": "Rome"}}}]}},
    "stopReason": "tool_use",
    "usage": {"inputTokens": 3},
})  # fmt: skip

CONVERSE_STREAM = {"events": [
    {"headers": {}, "data": {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "hm"}}}},
    {"headers": {}, "data": {"contentBlockIndex": 1, "delta": {"text": "It "}}},
    {"headers": {}, "data": {"contentBlockIndex": 1, "delta": {"text": "rains"}}},
    {"headers": {}, "data": {"contentBlockIndex": 2, "start": {"toolUse": {"name": "weather"}}}},
    {"headers": {}, "data": {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"city": '}}}},
    {"headers": {}, "data": {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '"Rome"}'}}}},
    {"headers": {}, "data": {"stopReason": "tool_use"}},
    {"headers": {}, "data": {"usage": {"inputTokens": 3}}},
]}  # fmt: skip
OLLAMA = {"events": [
    {"line": {"model": "m", "message": {"content": "It ", "thinking": "hm"}, "done": False}},
    {"line": {"model": "m", "message": {"content": "rains"}, "done": False}},
    {"line": {"model": "m", "message": {"content": "", "tool_calls": [{"function": {"name": "weather",
     "arguments": {"city": "Rome"}}}]}, "done": False}},
    {"line": {"model": "m", "done": True, "done_reason": "stop", "prompt_eval_count": 3}},
]}  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "finish", "thinks"),
    [
        (OPENAI, "tool_calls", True),
        (OPENAI_WHOLE, "tool_calls", True),
        (whole(RESPONSE), "completed", True),
        (events({"type": "response.created", "response": RESPONSE | {"status": "in_progress"}},
                {"type": "response.completed", "response": RESPONSE}), "completed", True),
        (ANTHROPIC, "tool_use", True),
        (ANTHROPIC_WHOLE, "tool_use", True),
        (GOOGLE, "STOP", True),
        (CONVERSE, "tool_use", False),
        (CONVERSE_STREAM, "tool_use", True),
        (OLLAMA, "stop", True),
        ({"reply": OPENAI_WHOLE["json"]}, "tool_calls", True),
    ],
    ids=["chunks", "chat", "response", "response events", "message events", "message", "candidates", "converse",
         "converse events", "ollama's lines", "call"],
)  # fmt: skip
def test_each_protocol_says_the_same(answer: dict[str, Any], finish: str, thinks: bool) -> None:
    found = said(answer)
    [choice] = found.choices
    assert (choice.text, choice.finish, choice.reasoning) == ("It rains", finish, "hm" if thinks else "")
    assert [{"name": call.name, "value": call.value} for call in choice.calls.values()] == [CALL]
    assert next(iter(found.usage.values())) == 3


def test_several_choices_are_told_apart_and_completions_are_known() -> None:
    found = said(whole({"choices": [{"index": 1, "text": "b"}, {"index": 0, "text": "a", "finish_reason": "length"}]}))
    assert [(one.text, one.finish) for one in found.choices] == [("a", "length"), ("b", "")]


def test_vectors_are_found_in_every_form() -> None:
    numbers = [0.5] * 20
    encoded = base64.b64encode(array("f", numbers).tobytes()).decode()
    for value in (
        {"data": [{"embedding": numbers}]},
        {"data": [{"embedding": encoded}]},
        {"embeddings": [{"values": numbers}]},
        [numbers],
    ):
        assert said(whole(value)).vectors == [tuple(numbers)]
    assert said(whole({"data": [{"embedding": "no base64" * 20}]})).vectors == []


@pytest.mark.parametrize(
    "value", [None, 1, "text", [], {}, {"choices": "no list"}, {"choices": [{"delta": 1, "message": []}]},
              {"candidates": [{"content": []}]}, {"output": [1]}, {"type": "message", "content": {"a": 1}}]
)  # fmt: skip
def test_what_is_in_no_known_form_says_nothing(value: Any) -> None:
    found = said(whole(value))
    assert not any((one.text, one.calls) != ("", {}) for one in found.choices) and not found.vectors


def test_the_parts_of_a_content_are_text_or_named() -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:..."}}, "x"]
    assert text_of(parts) == "What is this?\n<image_url>\nx"
    assert (text_of(None), text_of("a"), text_of({"a": 1})) == ("", "a", '{"a":1}')


@pytest.mark.parametrize("index", [None, [1], {"x": 1}, "first"])
def test_a_place_that_is_none_is_the_first(index: Any) -> None:
    call = {"index": index, "function": {"name": "f", "arguments": "{}"}}
    choice = {"index": index, "message": {"content": "hm", "tool_calls": [call]}, "finish_reason": {"x": 1}}
    [found] = said({"json": {"choices": [choice]}}).choices
    assert (found.text, found.finish, [one.name for one in found.calls.values()]) == ("hm", "", ["f"])


def test_why_a_stream_of_amazons_ended_is_said() -> None:
    headers = {":message-type": "exception", ":exception-type": "throttlingException"}
    told = said({"events": [*CONVERSE_STREAM["events"][:3], {"headers": headers, "data": {"message": "slow down"}}]})
    assert (told.choices[0].text, told.exceptions) == ("It rains", ["throttlingException: slow down"])
    assert said(CONVERSE_STREAM).exceptions == []
