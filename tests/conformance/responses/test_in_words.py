"""Tools with a provider whose model takes none, as Ollama's answer for many: they are called in the text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.upstream.scripted import Said, Script, says
from runtime.errors import UpstreamRejected
from runtime.providers.responses.builtin.in_words import CallsInText, refuses_tools
from tests.conformance.responses.asking import WEATHER, Asking, texts

pytestmark = pytest.mark.asyncio(loop_scope="module")
CALL = '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call>'
REFUSED = {"error": {"message": "registry.ollama.ai/library/small:latest does not support tools", "type": "api_error"}}


class WithoutTools(Script):
    """Refuses every request that has tools."""

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST" and "tools" in await request.json():
            return web.json_response(REFUSED, status=400)
        return await super().__call__(request)


def without_tools(asking: Asking, *answers: Said) -> Script:
    asking.vendor.misbehaves = script = WithoutTools(*answers)
    return script


@pytest.mark.parametrize("streams", [False, True])
async def test_a_call_in_the_text_is_a_call(asking: Asking, streams: bool) -> None:
    script = without_tools(asking, says("Let me see. <tool", "_call>" + CALL[11:30], CALL[30:]), says("It rains."))
    question = {"role": "user", "content": "And in Paris?"}
    if streams:
        response = (await asking.streamed([question], tools=[WEATHER]))[-1]["response"]
    else:
        response = await asking.whole([question], tools=[WEATHER])
    message, call = response["output"]
    assert message["content"][0]["text"] == "Let me see. "
    assert (call["name"], json.loads(call["arguments"])) == ("get_weather", {"city": "Paris"})
    told = script.asked[-1]["messages"]
    assert "get_weather" in told[0]["content"] and '"city"' in told[0]["content"]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}
    answer = await asking.whole([question, *response["output"], result], tools=[WEATHER])
    assert answer["output"][0]["content"][0]["text"] == "It rains."
    told = script.asked[-1]["messages"]
    assert [message["role"] for message in told] == ["system", "user", "assistant", "user"]
    assert "<tool_call>" in told[2]["content"] and told[3]["content"] == "<tool_response>rain</tool_response>"


@pytest.mark.parametrize("half", ['"a": "\\ud800"', '"x": ' + "[" * 9000 + "]" * 9000])
async def test_what_looks_like_a_call_and_cannot_be_read_is_text(asking: Asking, half: str) -> None:
    text = f'<tool_call>{{"name": "get_weather", "arguments": {{{half}}}}}</tool_call>'
    without_tools(asking, says(text))
    response = await asking.whole([{"role": "user", "content": "And in Paris?"}], tools=[WEATHER])
    [message] = response["output"]
    assert response["status"] == "completed" and "get_weather" in message["content"][0]["text"]


async def test_the_answer_says_that_tools_were_described(asking: Asking) -> None:
    without_tools(asking, says("Hi"))
    body = {"model": "vendor/small-chat", "input": "Hi", "tools": [WEATHER]}
    answered = await asking.client.post("/v1/responses", body)
    assert "takes no tools" in answered.headers["x-llama-warnings"]


async def test_instructions_and_a_choice_are_told_too(asking: Asking) -> None:
    script = without_tools(asking, says(CALL))
    await asking.whole("Hi", tools=[WEATHER], instructions="Be short.", tool_choice="required")
    [system, _] = script.asked[-1]["messages"]
    assert system["content"].startswith("Be short.\n\n") and system["content"].endswith("Call one of them now.")


async def test_another_refusal_stays_one(asking: Asking) -> None:
    async def refuses(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "temperature is not supported", "type": "x"}}, status=400)

    asking.vendor.misbehaves = refuses
    error = await asking.refused({"input": "Hi", "tools": [WEATHER]})
    assert "temperature is not supported" in error["message"]


@pytest.mark.parametrize(
    ("words", "param", "takes_none"),
    [
        ("registry.ollama.ai/library/small:latest does not support tools", None, True),
        ("`tool calling` is not supported with this model", None, True),
        ("tools is not supported in this model. For a list of supported models, see the docs", "tools", True),
        ("This model doesn't support Function Calling", None, True),
        ("Model does not currently support tools.", None, True),
        ("Tool use with function calling is unsupported", None, True),
        ("Invalid schema for function 'get_weather': 'format' is not supported", None, False),
        ("Unsupported schema for function parameters", None, False),
        ("the tool `get_weather` has a pattern, which is not supported", None, False),
        ("tools[0].function.strict is not supported", None, False),
        ("function tools of this kind are not supported", "tools[0].function.parameters", False),
        ("parallel tool calls are not supported", None, False),
    ],
)
async def test_only_who_takes_no_tools_at_all_is_told_in_words(words: str, param: str | None, takes_none: bool) -> None:
    """What is wrong with one of them is the caller's to know: in words, its schema would hold nobody to anything."""
    error = UpstreamRejected(words, provider_id="vendor", upstream_status=400, param=param)
    assert refuses_tools(error) == takes_none


@pytest.mark.parametrize(
    "text",
    ["<tool_call>nonsense</tool_call>", "<tool_call>{}", "<tool_call>[1]</tool_call>", "a < b <tool", "</tool_call>"],
)
async def test_what_is_no_call_stays_text(text: str) -> None:
    heard = CallsInText()
    chunks: list[dict[str, Any]] = []
    for piece in text:
        chunks += heard.heard({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
    chunks += heard.heard({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert said.replace("</tool_call>", "") == text.replace("</tool_call>", "")
    assert heard.calls == 0


@pytest.mark.parametrize("streams", [False, True])
async def test_a_call_that_is_never_ended_is_text_also_without_a_finish_reason(asking: Asking, streams: bool) -> None:
    text = 'See <tool_call>{"name": "get_weather"'
    without_tools(asking, says(text[:8], text[8:], finish=None))
    if streams:
        response = (await asking.streamed(tools=[WEATHER]))[-1]["response"]
    else:
        response = await asking.whole(tools=[WEATHER])
    assert texts(response) == [text]


async def test_what_a_shield_stopped_begins_no_call() -> None:
    heard = CallsInText()
    found = {"user_message": "No."}
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": CALL[:20]}}]},
        {"choices": [{"index": 0, "delta": {"refusal": "No."}}], "violation": found},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "content_filter"}], "violation": found},
    ]
    told = [part for chunk in chunks for part in heard.heard(chunk)]
    assert "".join(part["choices"][0]["delta"].get("content") or "" for part in told) == ""
    assert [*heard.rest()] == [] and heard.calls == 0
    assert [part["violation"] for part in told if "violation" in part] == [found, found]
