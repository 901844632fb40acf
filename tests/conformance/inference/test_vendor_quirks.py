"""What is done to requests for each vendor's own ways: what it receives, and what is refused for it.

Each local server checks what the vendor documents (`vendors/`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.inference.at_vendor import ABSENT, HI, TOOLS, chat, check_refused, check_sent, embedding

ANY_OBJECT = {"type": "json_schema", "json_schema": {"name": "object", "schema": {"type": "object"}}}
STRICT = [
    {
        "type": "function",
        "function": {
            "name": "add",
            "strict": True,
            "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
        },
    }
]
BE_BRIEF = {"role": "system", "content": "Be brief."}
WITH_NAME = [{"role": "user", "name": "ada", "content": "Say JSON."}]


@pytest.mark.parametrize(
    ("name", "fields", "sent", "warned"),
    [
        ("openai", {"max_completion_tokens": 4, "seed": 1}, {"max_completion_tokens": 4, "seed": 1}, []),
        ("anthropic", {"temperature": 1.5}, {"temperature": 1}, ["`temperature` was lowered to 1"]),
        ("anthropic", {"seed": 1, "n": 1}, {"seed": ABSENT, "n": ABSENT}, ["`seed` has no effect"]),
        ("anthropic", {"frequency_penalty": 0.5, "presence_penalty": 0}, {}, ["`frequency_penalty` has no effect"]),
        ("anthropic", {"reasoning_effort": "minimal"}, {"reasoning_effort": "low"}, []),
        (
            "anthropic",
            {"reasoning_effort": "high", "temperature": 0},
            {"temperature": ABSENT},
            ["`temperature` has"],
        ),
        ("anthropic", {"tools": STRICT, "parallel_tool_calls": False}, {"parallel_tool_calls": False}, []),
        ("anthropic", {"tools": STRICT, "tool_choice": "none"}, {"tools": STRICT, "tool_choice": "none"}, []),
        ("anthropic", {"user": "me", "service_tier": "default"}, {"user": "me", "service_tier": "standard_only"}, []),
        ("anthropic", {"max_completion_tokens": 4, "stop": "x"}, {"max_tokens": 4, "stop": ["x"]}, []),
        ("anthropic", {"response_format": {"type": "json_object"}}, {}, ["`response_format` was sent as a tool"]),
        ("anthropic", {"web_search_options": {}}, {"web_search_options": {}}, []),
        ("anthropic", {"response_format": {"type": "text"}}, {}, []),
        ("anthropic", {"messages": WITH_NAME}, {"messages": HI}, ["`messages[].name` has no effect"]),
        ("tgi", {"response_format": {"type": "text"}}, {"response_format": ABSENT}, []),
        ("anthropic", {"messages": [BE_BRIEF, *HI]}, {"messages": [BE_BRIEF, *HI]}, []),
        ("anthropic", {"messages": [*HI, BE_BRIEF]}, {"messages": [BE_BRIEF, *HI]}, ["system messages are moved"]),
        ("gemini", {"seed": 2**40, "user": "me", "store": False}, {"seed": 0, "user": ABSENT, "store": ABSENT}, []),
        ("gemini", {"logprobs": True, "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}, []),
        ("gemini", {"n": 2, "presence_penalty": 0.5}, {"n": 2, "presence_penalty": 0.5}, []),
        ("gemini", {"messages": WITH_NAME}, {"messages": HI}, ["`messages[].name` has no effect"]),
        ("gemini", {"logit_bias": {"5": 1}}, {"logit_bias": ABSENT}, ["`logit_bias` has no effect"]),
        ("gemini", {"tools": TOOLS, "parallel_tool_calls": False}, {}, ["`parallel_tool_calls` has no effect"]),
        ("gemini", {"max_completion_tokens": 4}, {"max_tokens": 4, "max_completion_tokens": ABSENT}, []),
        ("gemini", {"reasoning_effort": "none"}, {}, ["`reasoning_effort` was raised to `minimal`"]),
        ("gemini", {"verbosity": "low"}, {"verbosity": ABSENT}, ["`verbosity` has no effect"]),
        ("groq", {"messages": WITH_NAME}, {"messages": HI}, ["`messages[].name` has no effect"]),
        ("groq", {"logit_bias": {"5": 1}}, {"logit_bias": ABSENT}, ["`logit_bias` has no effect"]),
        ("groq", {"logprobs": False, "n": 1, "logit_bias": {}}, {"logprobs": ABSENT, "n": ABSENT}, []),
        ("groq", {"max_completion_tokens": 4}, {"max_completion_tokens": 4}, []),
        ("cerebras", {"frequency_penalty": 0.5, "n": 2}, {"frequency_penalty": 0.5, "n": 2}, []),
        ("sambanova", {"seed": 1}, {"seed": ABSENT}, ["`seed` has no effect"]),
        ("sambanova", {"response_format": {"type": "text"}}, {"response_format": ABSENT}, []),
        ("fireworks", {"max_completion_tokens": 4}, {"max_tokens": 4, "max_completion_tokens": ABSENT}, []),
        ("fireworks", {"store": True, "service_tier": "auto", "user": "me"}, {"store": ABSENT, "user": "me"}, []),
        ("together", {"max_completion_tokens": 4}, {"max_tokens": 4, "max_completion_tokens": ABSENT}, []),
        ("deepseek", {"max_completion_tokens": 4, "seed": 1}, {"max_tokens": 4}, ["`seed` has no effect"]),
        ("deepseek", {"tools": TOOLS, "parallel_tool_calls": False}, {}, ["`parallel_tool_calls` has no effect"]),
        ("deepseek", {"tools": TOOLS, "parallel_tool_calls": True}, {"parallel_tool_calls": ABSENT}, []),
        ("openrouter", {"max_completion_tokens": 4}, {"max_tokens": 4, "max_completion_tokens": ABSENT}, []),
        ("hf-serverless", {"max_completion_tokens": 4}, {"max_tokens": 4, "max_completion_tokens": ABSENT}, []),
        ("vllm", {"verbosity": "low"}, {"verbosity": ABSENT}, ["`verbosity` has no effect"]),
        ("zai", {"tool_choice": "none"}, {"tool_choice": ABSENT}, []),
        ("openrouter", {"provider": {"order": ["acme"]}}, {"provider": {"order": ["acme"]}}, []),
        ("xai", {"tools": STRICT}, {}, ["`tools[].function.strict` has no effect"]),
        ("perplexity", {"max_completion_tokens": 4}, {"max_tokens": 4, "max_completion_tokens": ABSENT}, []),
        (
            "perplexity",
            {"web_search_options": {"search_context_size": "low"}},
            {"web_search_options": {"search_context_size": "low"}},
            [],
        ),
        (
            "perplexity",
            {"response_format": {"type": "json_object"}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "object", "schema": {"type": "object"}},
                }
            },
            [],
        ),
        ("perplexity", {"tools": TOOLS, "tool_choice": "none"}, {"tools": ABSENT, "tool_choice": ABSENT}, []),
        ("openai", {"metadata": {"a": "b"}}, {"metadata": ABSENT, "store": ABSENT}, []),
        ("openai", {"metadata": {"a": "b"}, "store": True}, {"metadata": {"a": "b"}, "store": True}, []),
        ("azure", {"metadata": {"a": "b"}, "store": False}, {"metadata": ABSENT, "store": False}, []),
        ("mistral", {"max_completion_tokens": 4, "seed": 1}, {"max_tokens": 4, "random_seed": 1, "seed": ABSENT}, []),
        ("mistral", {"user": "me", "metadata": {"a": "b"}}, {"user": ABSENT, "metadata": ABSENT}, []),
        ("mistral", {"messages": WITH_NAME}, {"messages": HI}, ["`messages[].name` has no effect"]),
        ("llama-openai-compat", {}, {"max_completion_tokens": 5, "max_tokens": ABSENT}, []),
        ("llama-openai-compat", {"max_completion_tokens": 4}, {"max_completion_tokens": 4, "max_tokens": ABSENT}, []),
    ],
)
async def test_fields_reach_the_vendor_as_it_has_them(
    tmp_path: Path, name: str, fields: dict[str, Any], sent: dict[str, Any], warned: list[str]
) -> None:
    await check_sent(name, tmp_path, chat, fields, sent=sent, warned=warned)


SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
PICTURE = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
SOUND = [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]


@pytest.mark.parametrize(
    ("name", "fields", "param"),
    [
        ("anthropic", {"n": 2}, "n"),
        ("anthropic", {"logprobs": True}, "logprobs"),
        ("anthropic", {"response_format": SCHEMA, "tools": TOOLS}, "response_format"),
        ("anthropic", {"functions": [{"name": "add"}]}, "functions"),
        ("anthropic", {"modalities": ["text", "audio"]}, "modalities"),
        ("anthropic", {"stop": ["x", "\n"]}, "stop"),
        ("anthropic", {"tools": TOOLS, "tool_choice": "any"}, "tool_choice"),
        ("anthropic", {"response_format": {"type": "grammar"}}, "response_format"),
        ("anthropic", {"messages": [{"role": "user", "content": SOUND}]}, "messages[].content[].input_audio"),
        ("gemini", {"modalities": ["text", "audio"]}, "modalities"),
        ("gemini", {"functions": [{"name": "add"}]}, "functions"),
        ("groq", {"n": 2}, "n"),
        ("groq", {"logprobs": True}, "logprobs"),
        ("groq", {"modalities": ["text", "audio"]}, "modalities"),
        ("sambanova", {"messages": [{"role": "user", "content": PICTURE}]}, "messages[].content[].image_url.url"),
        ("sambanova", {"n": 3}, "n"),
        ("fireworks", {"web_search_options": {}}, "web_search_options"),
        ("together", {"logprobs": True, "top_logprobs": 2}, "logprobs"),
        ("deepseek", {"response_format": SCHEMA}, "response_format"),
        ("deepseek", {"n": 2}, "n"),
        ("moonshot", {"reasoning_effort": "none"}, "reasoning_effort"),
        ("mistral", {"reasoning_effort": "low"}, "reasoning_effort"),
        ("vllm", {"functions": [{"name": "add"}]}, "functions"),
        ("vllm", {"web_search_options": {}}, "web_search_options"),
        ("lmstudio", {"modalities": ["text", "audio"]}, "modalities"),
        ("lmstudio", {"tools": TOOLS, "tool_choice": {"type": "of-the-vendor"}}, "tool_choice"),
        ("perplexity", {"tools": TOOLS}, "tools"),
        ("perplexity", {"stop": ["x"]}, "stop"),
        ("mistral", {"logprobs": True}, "logprobs"),
    ],
)
async def test_what_a_vendor_cannot_do_is_refused_before_it_is_asked(
    tmp_path: Path, name: str, fields: dict[str, Any], param: str
) -> None:
    await check_refused(name, tmp_path, chat, fields, param)


@pytest.mark.parametrize(
    ("name", "fields", "sent"),
    [
        ("mistral", {"dimensions": 8}, {"output_dimension": 8, "dimensions": ABSENT}),
        ("mistral", {"user": "me"}, {"user": ABSENT}),
        ("gemini", {"user": "me"}, {"user": ABSENT}),
        ("together", {"user": "me"}, {"user": ABSENT}),
        ("fireworks", {"encoding_format": "base64", "dimensions": 8}, {"encoding_format": ABSENT, "dimensions": 8}),
        ("sambanova", {"encoding_format": "base64"}, {"encoding_format": ABSENT}),
        ("openai", {"input": [[1, 2]], "user": "me"}, {"input": [[1, 2]], "user": "me"}),
    ],
)
async def test_fields_of_embeddings_reach_the_vendor_as_it_has_them(
    tmp_path: Path, name: str, fields: dict[str, Any], sent: dict[str, Any]
) -> None:
    answer = await check_sent(name, tmp_path, embedding, fields, sent=sent, warned=None)
    vector = answer["data"][0]["embedding"]
    assert isinstance(vector, str if fields.get("encoding_format") == "base64" else list)


@pytest.mark.parametrize(
    ("name", "fields", "param"),
    [
        ("together", {"dimensions": 8}, "dimensions"),
        ("mistral", {"input": [1, 2]}, "input"),
        ("gemini", {"input": [[1, 2]]}, "input"),
    ],
)
async def test_embeddings_that_a_vendor_cannot_make_are_refused(
    tmp_path: Path, name: str, fields: dict[str, Any], param: str
) -> None:
    await check_refused(name, tmp_path, embedding, fields, param)
