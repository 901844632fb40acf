"""A response's request as that of a chat completion: each field that means something to a model, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.errors import RequestError
from runtime.providers.responses.builtin.asking import chat_request, chat_settings
from runtime.providers.responses.builtin.offering import Apis, Asked
from runtime.providers.responses.builtin.toolbox import Toolbox, toolbox_of
from runtime.sse import Json, decode
from tests.support.response_parts import MODEL, asked

F = {"type": "function", "name": "f", "description": "Does it.", "parameters": {"type": "object"}, "strict": True}
G = {"type": "function", "name": "g"}
ONLY_F = {"type": "function", "function": {"name": "f"}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


async def settings(**fields: Any) -> Json:
    request = asked(**fields)
    tools = await toolbox_of(Asked(request=request, items=[], apis=Apis(**dict.fromkeys(Apis.__annotations__))))
    found = chat_settings(request, tools)
    assert (found.pop("model"), found.pop("store")) == (MODEL, False)
    return found


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, {}),
        ({"temperature": 0.0, "top_p": 0.5}, {"temperature": 0.0, "top_p": 0.5}),
        ({"temperature": None}, {}),
        ({"presence_penalty": 1, "frequency_penalty": -1}, {"presence_penalty": 1.0, "frequency_penalty": -1.0}),
        ({"service_tier": "flex", "user": "u"}, {"service_tier": "flex", "user": "u"}),
        (
            {"safety_identifier": "s", "prompt_cache_key": "k"},
            {"safety_identifier": "s", "prompt_cache_key": "k"},
        ),
        ({"max_output_tokens": 5}, {"max_completion_tokens": 5}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
        ({"reasoning": {"summary": "auto"}}, {}),
        ({"text": {"verbosity": "low", "format": {"type": "text"}}}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": None}}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
        ),
        ({"top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        ({"include": ["message.output_text.logprobs"]}, {"logprobs": True, "top_logprobs": 0}),
        ({"top_logprobs": 0}, {}),
        ({"stream": True, "metadata": {"a": "b"}, "truncation": "auto", "background": True, "max_tool_calls": 2}, {}),
        ({"tool_choice": "auto", "parallel_tool_calls": False}, {}),
        ({"seed": 7, "chat_template_kwargs": {"a": 1}}, {"seed": 7, "chat_template_kwargs": {"a": 1}}),
    ],
)
async def test_what_is_said_of_the_answer(fields: Json, said: Json) -> None:
    assert await settings(input="Hi", **fields) == said


async def test_a_function_is_told_as_chats_have_it() -> None:
    found = await settings(tools=[F, G], parallel_tool_calls=False)
    first, second = found["tools"]
    assert first == {"type": "function", "function": {name: value for name, value in F.items() if name != "type"}}
    assert second["function"]["name"] == "g" and found["parallel_tool_calls"] is False
    assert "tool_choice" not in found


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("none", "none"),
        ("auto", "auto"),
        ("required", "required"),
        ({"type": "function", "name": "f"}, ONLY_F),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [ONLY_F]}},
        ),
        (
            {"type": "allowed_tools", "tools": [{"type": "function", "name": "f"}]},
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [ONLY_F]}},
        ),
    ],
)
async def test_each_form_of_a_choice_is_told(choice: Any, told: Any) -> None:
    assert (await settings(tools=[F, G], tool_choice=choice))["tool_choice"] == told


@pytest.mark.parametrize(
    ("tools", "choice", "words"),
    [
        ([F], {"type": "function", "name": "h"}, "`tool_choice` names `h`"),
        ([F], {"type": "file_search"}, "`file_search`"),
        ([F], {"type": "allowed_tools", "tools": [{"type": "function", "name": "h"}]}, "`tool_choice.tools[0]`"),
        ([], {"type": "function", "name": "f"}, "there are no `tools`"),
        ([], "required", "there are no `tools`"),
    ],
)
async def test_a_choice_of_what_is_not_there_is_refused(tools: Any, choice: Any, words: str) -> None:
    with pytest.raises(RequestError) as caught:
        await settings(tools=tools, tool_choice=choice)
    assert words in caught.value.message and caught.value.param == "tool_choice"


@pytest.mark.parametrize("streams", [False, True])
def test_a_request_is_what_its_bytes_say(streams: bool) -> None:
    request = chat_request(
        chat_settings(asked(temperature=0.5), Toolbox(functions={})), [{"role": "user", "content": "ü"}], stream=streams
    )
    sent = {"model": MODEL, "store": False, "temperature": 0.5, "messages": [{"role": "user", "content": "ü"}]}
    if streams:
        sent |= {"stream": True, "stream_options": {"include_usage": True}}
    assert request.raw is not None and decode(request.raw) == sent == request.wire()
    assert (request.stream, request.temperature, request.model_fields_set) == (streams or None, 0.5, {*sent})
