"""As `test_vendor_quirks.py`, for servers that users run themselves, and for vendors of search models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.inference.at_vendor import (
    ABSENT,
    HI,
    TOOLS,
    chat,
    check_refused,
    check_sent,
    completion,
    embedding,
)

THOUGHT = [*HI, {"role": "assistant", "content": "{}", "reasoning_content": "Hm."}, *HI]
THOUGHT_BACK = [*HI, {"role": "assistant", "content": "{}", "reasoning": "Hm."}, *HI]
STRICT = [{**TOOLS[0], "function": {**TOOLS[0]["function"], "strict": False}}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
WANTED = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
ANY_JSON = {"type": "json_object"}
ANY_OBJECT = {"type": "json_schema", "json_schema": {"name": "object", "schema": {"type": "object"}}}
NAMED = {"type": "function", "function": {"name": "mul"}}


@pytest.mark.parametrize(
    ("name", "fields", "sent", "warned"),
    [
        ("ollama", {"max_completion_tokens": 4, "max_tokens": None}, {"max_tokens": 4}, []),
        ("ollama", {"messages": THOUGHT}, {"messages": THOUGHT_BACK}, []),
        ("ollama", {"tools": TOOLS, "tool_choice": "auto"}, {"tools": TOOLS}, []),
        ("ollama", {"tools": TOOLS, "tool_choice": "none"}, {"tools": ABSENT, "tool_choice": ABSENT}, []),
        ("ollama", {"logit_bias": {"5": 1}, "user": "me"}, {"logit_bias": ABSENT, "user": "me"}, ["`logit_bias` has"]),
        ("ollama", {"tools": STRICT}, {}, ["`tools[].function.strict` has no effect"]),
        ("ollama", {"n": 1, "parallel_tool_calls": True, "tools": TOOLS}, {"n": ABSENT}, []),
        ("vllm", {"max_completion_tokens": 4, "top_k": 3}, {"max_completion_tokens": 4, "top_k": 3}, []),
        ("vllm", {"structured_outputs": {"regex": "a+"}}, {"structured_outputs": {"regex": "a+"}}, []),
        ("llama-cpp-server", {"response_format": ANY_JSON}, {"response_format": ANY_OBJECT}, []),
        (
            "llama-cpp-server",
            {"response_format": {"type": "json_object", "schema": SCHEMA}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "object", "schema": SCHEMA}}},
            [],
        ),
        ("lmstudio", {"response_format": ANY_JSON}, {"response_format": ANY_OBJECT}, []),
        ("lmstudio", {"tools": TOOLS, "tool_choice": NAMED}, {"tools": TOOLS[1:], "tool_choice": "required"}, []),
        ("tgi", {"response_format": WANTED}, {"response_format": {"type": "json", "value": SCHEMA}}, []),
        ("tgi", {"response_format": ANY_JSON}, {"response_format": {"type": "json", "value": {"type": "object"}}}, []),
        ("tgi", {"user": "me", "logit_bias": {"5": 1}}, {"user": ABSENT, "logit_bias": ABSENT}, ["`logit_bias` has"]),
        ("cohere", {"store": True, "metadata": {"a": "b"}}, {"store": ABSENT, "metadata": ABSENT}, []),
        ("cohere", {"reasoning_effort": "high", "n": 1}, {"reasoning_effort": "high", "n": ABSENT}, []),
        ("deepinfra", {"tools": TOOLS, "tool_choice": "none"}, {"tool_choice": "none"}, []),
        ("databricks", {"max_completion_tokens": 4, "max_tokens": None}, {"max_tokens": 4}, []),
        ("zai", {"presence_penalty": 1}, {"presence_penalty": ABSENT}, ["`presence_penalty` has no effect"]),
        ("zai", {"tools": TOOLS, "tool_choice": "none"}, {"tools": ABSENT, "tool_choice": ABSENT}, []),
        ("dashscope", {"frequency_penalty": 1}, {"frequency_penalty": ABSENT}, ["`frequency_penalty` has no effect"]),
        ("moonshot", {"tools": TOOLS, "tool_choice": NAMED}, {"tools": TOOLS, "tool_choice": NAMED}, []),
    ],
)
async def test_fields_reach_the_vendor_as_it_has_them(
    tmp_path: Path, name: str, fields: dict[str, Any], sent: dict[str, Any], warned: list[str]
) -> None:
    await check_sent(name, tmp_path, chat, fields, sent=sent, warned=warned)


PICTURE = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]


@pytest.mark.parametrize(
    ("name", "fields", "param"),
    [
        ("ollama", {"n": 2}, "n"),
        ("ollama", {"tools": TOOLS, "tool_choice": "required"}, "tool_choice"),
        ("ollama", {"tools": TOOLS, "tool_choice": NAMED}, "tool_choice"),
        ("ollama", {"tools": TOOLS, "parallel_tool_calls": False}, "parallel_tool_calls"),
        ("ollama", {"messages": [{"role": "user", "content": PICTURE}]}, "messages[].content[].image_url.url"),
        ("tgi", {"n": 2}, "n"),
        ("tgi", {"modalities": ["audio"]}, "modalities"),
        ("cohere", {"n": 2}, "n"),
        ("cohere", {"logprobs": True}, "logprobs"),
        ("cohere", {"reasoning_effort": "low"}, "reasoning_effort"),
        ("cohere", {"tools": TOOLS, "parallel_tool_calls": False}, "parallel_tool_calls"),
        ("deepinfra", {"tools": TOOLS, "tool_choice": "required"}, "tool_choice"),
        ("deepinfra", {"tools": TOOLS, "tool_choice": NAMED}, "tool_choice"),
        ("moonshot", {"tools": TOOLS, "tool_choice": "required"}, "tool_choice"),
        ("moonshot", {"functions": [TOOLS[0]["function"]]}, "functions"),
        ("zai", {"response_format": WANTED}, "response_format"),
        ("zai", {"tools": TOOLS, "tool_choice": "required"}, "tool_choice"),
    ],
)
async def test_what_a_vendor_cannot_do_is_refused_before_it_is_asked(
    tmp_path: Path, name: str, fields: dict[str, Any], param: str
) -> None:
    await check_refused(name, tmp_path, chat, fields, param)


async def test_one_prompt_in_a_list_is_sent_as_a_text_where_a_list_is_not_read(tmp_path: Path) -> None:
    await check_sent("ollama", tmp_path, completion, {"prompt": ["Once"]}, sent={"prompt": "Once"})


@pytest.mark.parametrize(
    ("name", "fields", "param"),
    [
        ("ollama", {"prompt": ["a", "b"]}, "prompt"),
        ("ollama", {"prompt": [1, 2]}, "prompt"),
        ("ollama", {"echo": True}, "echo"),
        ("ollama", {"n": 2, "best_of": 2}, "n"),
        ("vllm", {"suffix": "end"}, "suffix"),
        ("runpod", {"suffix": "end"}, "suffix"),
        ("tgi", {"prompt": [[1], [2]]}, "prompt"),
        ("tgi", {"logprobs": 2}, "logprobs"),
    ],
)
async def test_completions_that_a_vendor_cannot_make_are_refused(
    tmp_path: Path, name: str, fields: dict[str, Any], param: str
) -> None:
    await check_refused(name, tmp_path, completion, fields, param)


@pytest.mark.parametrize(
    ("name", "fields", "sent", "warned"),
    [
        ("nvidia", {}, {"input_type": "query"}, ["`input_type` was not given, and `vendor` requires it"]),
        ("nvidia", {"input_type": "passage"}, {"input_type": "passage"}, []),
        ("cohere", {"user": "me", "input_type": "search_query"}, {"user": ABSENT}, ["`input_type` has no effect"]),
    ],
)
async def test_fields_of_embeddings_reach_the_vendor_as_it_has_them(
    tmp_path: Path, name: str, fields: dict[str, Any], sent: dict[str, Any], warned: list[str]
) -> None:
    await check_sent(name, tmp_path, embedding, fields, sent=sent, warned=warned)


@pytest.mark.parametrize("encoding", ["float", "base64", None])
@pytest.mark.parametrize("name", ["voyage", "jina"])
async def test_vectors_come_in_the_wanted_encoding_from_a_vendor_without_the_field(
    tmp_path: Path, name: str, encoding: str | None
) -> None:
    kind = {"voyage": {"dimensions": 8}, "jina": {"task": "retrieval.query"}}[name]
    sent = {"voyage": {"output_dimension": 8, "dimensions": ABSENT}, "jina": kind}[name]
    fields = kind | ({"encoding_format": encoding} if encoding else {})
    answer = await check_sent(name, tmp_path, embedding, fields, sent=sent | {"encoding_format": ABSENT})
    assert isinstance(answer["data"][0]["embedding"], str if encoding == "base64" else list)
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    ("name", "fields", "param"),
    [("cohere", {"dimensions": 8}, "dimensions"), ("ollama", {"input": [[1, 2]]}, "input")],
)
async def test_embeddings_that_a_vendor_cannot_make_are_refused(
    tmp_path: Path, name: str, fields: dict[str, Any], param: str
) -> None:
    await check_refused(name, tmp_path, embedding, fields, param)
