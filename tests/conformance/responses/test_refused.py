"""Requests that are wrong: the status, the field and its place, in one sentence, streamed or not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.responses.asking import WEATHER, Asking

pytestmark = pytest.mark.asyncio(loop_scope="module")
USER = {"role": "user", "content": "Hi"}
SHOWN = {"type": "input_image", "image_url": "https://example.org/a.png"}
SCHEMA_OF_NOTHING = {"type": "object", "properties": {"city": {"type": "town"}}}


def choice_of(*tools: Any) -> dict[str, Any]:
    return {"type": "allowed_tools", "tools": [*tools]}


ONLY_G = choice_of({"type": "function", "name": "g"})


def said(*parts: Any) -> dict[str, Any]:
    return {"input": [USER, {"role": "user", "content": list(parts)}]}


@pytest.mark.parametrize(
    ("asked", "param", "words"),
    [
        ({"input": [USER, {"type": "wish", "id": "w"}]}, "input[1].type", "got `wish`"),
        ({"input": [USER, {}]}, "input[1].type", "is missing (expected `message`, `reasoning`"),
        ({"input": ["Hi"]}, "input[0]", "expected an object, got `\"Hi\"`"),
        ({"input": 5}, "input", "expected a string or an array, got `5`"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role", "`developer`"),
        ({"input": [{"role": "user"}]}, "input[0].content", "is missing"),
        (said({"type": "song"}), "input[1].content[0].type", "`input_text`"),
        (said({"type": "input_image"}), "input[1].content[0].image_url", "`image_url` or `file_id` is required"),
        (said({"type": "input_file", "filename": "a"}), "input[1].content[0].file_data", "`file_id` is required"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": ""}]}, "input[0].call_id", "is missing"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input", "the call `c`"),
        ({"input": []}, "input", "nothing to answer"),
        ({"tools": [{**WEATHER, "parameters": SCHEMA_OF_NOTHING}]}, "tools[0].parameters.properties.city.type", "town"),
        ({"tools": [WEATHER, {"type": "wizard"}]}, "tools[1].type", "expected `code_interpreter`, `custom`, "),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "is missing"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].function", "stand beside `type`"),
        ({"tool_choice": "maybe"}, "tool_choice", "expected `none`, `auto`, `required` or an object, got `maybe`"),
        ({"tool_choice": "required"}, "tool_choice", "there are no `tools`"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "g"}}, "tool_choice", "names `g`"),
        ({"tools": [WEATHER], "tool_choice": {"type": "magic"}}, "tool_choice.type", "`allowed_tools`"),
        ({"tools": [WEATHER], "tool_choice": ONLY_G}, "tool_choice", "`tool_choice.tools[0]` names `g`"),
        ({"text": {"format": {"type": "yaml"}}}, "text.format.type", "`json_schema`"),
        ({"text": {"format": {"type": "json_schema", "schema": {"type": 1}}}}, "text.format.schema.type", "1 is"),
        ({"include": ["all"]}, "include[0]", "`reasoning.encrypted_content`"),
        ({"conversation": "c", "previous_response_id": "r"}, "conversation", "cannot both be given"),
        ({"max_output_tokens": 0}, "max_output_tokens", "at least 1"),
        ({"metadata": {"a": 1}}, "metadata.a", "a string"),
        ({"conversation": ""}, "conversation", "at least 1 character"),
        ({"conversation": "c" * 600}, "conversation", "at most 512 characters"),
        ({"conversation": {"id": "c" * 600}}, "conversation.id", "at most 512 characters"),
        (said({"type": "input_image", "file_id": "f" * 600}), "input[1].content[0].file_id", "at most 512"),
        ({"tools": [WEATHER], "tool_choice": choice_of({"type": "function", "name": [1]})}, "tool_choice", "`[1]`"),
        ({"tools": [WEATHER], "tool_choice": choice_of({"type": {}})}, "tool_choice", "names `nothing`"),
        ({"input": [USER, {"role": "assistant", "content": [SHOWN]}]}, "input[1].content[0].type", "have images"),
        ({"n": 2}, "n", "a response has one answer"),
        ({"messages": [USER]}, "messages", "give them as `input`"),
        ({"stop": 5}, "stop", "a string"),
        ({"response_format": 7}, "response_format", "an object"),
        ({"logit_bias": {"5": "much"}}, "logit_bias.5", "a number"),
        ({"tools": [{"type": "file_search", "vector_store_ids": [""]}]}, "tools[0].vector_store_ids[0]", "at least 1"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named_with_its_place(
    asking: Asking, asked: dict[str, Any], param: str, words: str
) -> None:
    before = len(asking.vendor.seen)
    refused = await asking.refused({"input": "Hi", **asked})
    assert (refused["status"], refused["param"]) == (400, param), refused
    assert words in refused["message"] and "; `" not in refused["message"], refused
    assert len(asking.vendor.seen) == before


@pytest.mark.parametrize(
    ("asked", "param", "named"),
    [
        ({"previous_response_id": "resp_gone"}, "previous_response_id", "`resp_gone`"),
        ({"input": [{"type": "item_reference", "id": "msg_gone"}]}, "input[0].id", "`msg_gone`"),
        ({"model": "vendor/gone"}, "model", "`vendor/gone`"),
    ],
)
async def test_what_is_not_there_is_a_404_that_names_it(
    asking: Asking, asked: dict[str, Any], param: str, named: str
) -> None:
    refused = await asking.refused({"input": "Hi", **asked})
    assert (refused["status"], refused["param"]) == (404, param) and named in refused["message"]


async def test_an_output_of_a_call_in_the_history_is_taken(asking: Asking) -> None:
    called = await asking.whole("Weather in Lima?", tools=[WEATHER])
    [call] = called["output"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}
    answer = await asking.whole([output], tools=[WEATHER], previous_response_id=called["id"])
    assert answer["output"][0]["content"][0]["text"] == "The tools say: rain"
