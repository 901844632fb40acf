"""What becomes of each vendor's own answers and errors, and what goes back to it with the next request."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import pytest
from aiohttp import web

from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, started_stream
from tests.conformance.inference.at_vendor import HI, SPECS, TOOLS, asked, at, chat
from tests.conformance.inference.vendor import vendor_of

CHATTING = sorted(spec.name for spec in SPECS.values() if spec.facts and spec.facts.chat)
REPLAYED = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "ho", "refusal": None, "annotations": [], "reasoning_content": "hm"},
    {"role": "user", "content": "hi"},
]


@pytest.mark.parametrize(
    "name",
    [
        "groq", "cerebras", "sambanova", "together", "openrouter", "deepseek", "fireworks", "mistral", "ollama", "vllm",
        "runpod", "sglang", "lmstudio", "llama-cpp-server", "nvidia", "moonshot", "dashscope", "zai",
        "hf-serverless", "anthropic",
    ],
)  # fmt: skip
async def test_what_a_model_thought_has_one_name(tmp_path: Path, name: str) -> None:
    async with at(name, tmp_path) as (client, _):
        body = chat(reasoning_effort="high", max_tokens=50)
        message = (await client.post("/v1/chat/completions", body)).json()["choices"][0]["message"]
        events = (await client.post("/v1/chat/completions", {**body, "stream": True})).events()
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    assert message["reasoning_content"] and "reasoning" not in message
    assert isinstance(message["content"], str)
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == message["reasoning_content"]
    assert "".join(delta.get("content") or "" for delta in deltas) == message["content"]
    assert not any("reasoning" in delta for delta in deltas)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("groq", "reasoning"), ("cerebras", "reasoning"), ("sambanova", "reasoning"), ("together", "reasoning"),
        ("openrouter", "reasoning"), ("deepseek", "reasoning_content"), ("fireworks", "reasoning_content"),
        ("ollama", "reasoning"), ("vllm", "reasoning"), ("runpod", "reasoning"), ("moonshot", "reasoning_content"),
        ("sglang", "reasoning_content"), ("mistral", None), ("gemini", None),
        ("anthropic", None),
    ],
)  # fmt: skip
async def test_what_it_thought_goes_back_under_the_name_that_the_vendor_reads(
    tmp_path: Path, name: str, field: str | None
) -> None:
    async with at(name, tmp_path) as (client, upstream):
        assert (await client.post("/v1/chat/completions", chat(messages=REPLAYED))).status == 200
        said = asked(upstream)[-1]["messages"][1]
    thoughts = {one: value for one, value in said.items() if "reasoning" in one}
    assert thoughts == ({field: "hm"} if field else {})


@pytest.mark.parametrize("name", CHATTING)
async def test_an_error_in_the_vendor_s_shape_is_read(tmp_path: Path, name: str) -> None:
    async with at(name, tmp_path) as (client, _):
        for stream in (False, True):
            long = chat(messages=[{"role": "user", "content": "word " * 3000}], stream=stream)
            answer = await client.post("/v1/chat/completions", long)
            said = answer.json()["error"]["message"]
            assert (answer.status, "maximum context length" in said) == (400, True), answer.body


@pytest.mark.parametrize("name", CHATTING)
async def test_the_vendor_s_limits_are_passed_on(tmp_path: Path, name: str) -> None:
    async with at(name, tmp_path) as (client, upstream):
        for fields in ({}, {"stream": True}, {"messages": [{"role": "user", "content": "word " * 3000}]}):
            answer = await client.post("/v1/chat/completions", chat(**fields))
            assert upstream.habits.headers.items() <= dict(answer.headers).items()


async def test_json_that_groq_does_not_stream_is_streamed_by_us(tmp_path: Path) -> None:
    async with at("groq", tmp_path) as (client, upstream):
        body = chat(response_format={"type": "json_object"}, max_tokens=50, stream=True)
        events = (
            await client.post("/v1/chat/completions", {**body, "stream_options": {"include_usage": True}})
        ).events()
        assert asked(upstream)[-1]["stream"] is False
    text = "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])
    assert isinstance(json.loads(text), dict)
    assert events[-1]["usage"]["total_tokens"] > 0 and events[-1]["choices"] == []


async def test_a_vendor_s_own_finish_reason_is_openai_s(tmp_path: Path) -> None:
    async with at("together", tmp_path) as (client, _):
        body = chat(max_tokens=50)
        assert (await client.post("/v1/chat/completions", body)).json()["choices"][0]["finish_reason"] == "stop"
        events = (await client.post("/v1/chat/completions", {**body, "stream": True})).events()
        assert events[-1]["choices"][0]["finish_reason"] == "stop"
        prompt = {"model": f"vendor/{CHAT_MODEL}", "prompt": "hi", "max_tokens": 50}
        assert (await client.post("/v1/completions", prompt)).json()["choices"][0]["finish_reason"] == "stop"
        streamed = (await client.post("/v1/completions", {**prompt, "stream": True})).events()
        assert streamed[-1]["choices"][0]["finish_reason"] == "stop"


async def test_tokens_that_nobody_counted_are_said_to_be_so(tmp_path: Path) -> None:
    async with at("gemini", tmp_path) as (client, _):
        answer = await client.post("/v1/embeddings", {"model": f"vendor/{EMBEDDING_MODEL}", "input": "a"})
        assert answer.json()["usage"] == {"prompt_tokens": 0, "total_tokens": 0}
        assert answer.headers["x-llama-warnings"] == "`usage` is 0: `vendor` did not count the tokens"


async def test_vectors_of_whole_numbers_are_read_and_packed_as_openai_does(tmp_path: Path) -> None:
    async with at("perplexity", tmp_path) as (client, _):
        body = {"model": f"vendor/{EMBEDDING_MODEL}", "input": "a cat"}
        vector = (await client.post("/v1/embeddings", body)).json()["data"][0]["embedding"]
        packed = (await client.post("/v1/embeddings", {**body, "encoding_format": "base64"})).json()["data"][0]
    assert all(number == int(number) and -128 <= number <= 127 for number in vector) and any(vector)
    data = base64.b64decode(packed["embedding"])
    assert [*struct.unpack(f"<{len(data) // 4}f", data)] == vector


@pytest.mark.parametrize("name", CHATTING)
async def test_what_a_developer_says_is_said_by_the_system_where_there_are_no_developers(
    tmp_path: Path, name: str
) -> None:
    said = [{"role": "developer", "content": 'Say "developer"'}, *HI]
    async with at(name, tmp_path) as (client, upstream):
        answer = await client.post("/v1/chat/completions", chat(messages=said))
        assert answer.status == 200, answer.body
        sent = asked(upstream)[-1]["messages"]
    knows = name in ("openai", "azure", "passthrough")
    assert sent == [{**said[0], "role": "developer" if knows else "system"}, *HI]


@pytest.mark.parametrize("name", ["gemini", "fireworks", "groq", "mistral"])
async def test_a_signature_of_gemini_s_goes_back_with_its_tool_call_and_to_no_strict_vendor(
    tmp_path: Path, name: str
) -> None:
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "add", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "abc"}},
    }
    turns = [*HI, {"role": "assistant", "content": None, "tool_calls": [call]}]
    answered = [*turns, {"role": "tool", "tool_call_id": "call_1", "content": "3"}]
    async with at(name, tmp_path) as (client, upstream):
        answer = await client.post("/v1/chat/completions", chat(messages=answered, tools=TOOLS))
        assert answer.status == 200, answer.body
        [sent] = asked(upstream)[-1]["messages"][1]["tool_calls"]
        assert sent == (call if name == "gemini" else {key: call[key] for key in call if key != "extra_content"})


async def test_models_of_gemini_have_no_prefix(tmp_path: Path) -> None:
    async with at("gemini", tmp_path) as (client, _):
        listed = (await client.get("/v1/models")).json()["data"]
        assert f"vendor/{CHAT_MODEL}" in [model["id"] for model in listed]


async def test_a_google_token_names_the_project_that_pays_and_a_caller_s_key_does_not(tmp_path: Path) -> None:
    token = vendor_of(SPECS["gemini"]).key
    async with at("gemini", tmp_path, api_key="AIza-other", access_token=token, project="my-project") as found:
        client, upstream = found
        assert (await client.post("/v1/chat/completions", chat())).status == 200
        assert upstream.seen[-1].headers["x-goog-user-project"] == "my-project"
        brought = {"x-llamastack-provider-data": f'{{"gemini_api_key": "{token}"}}'}
        assert (await client.post("/v1/chat/completions", chat(), headers=brought)).status == 200
        assert "x-goog-user-project" not in upstream.seen[-1].headers


async def test_deepseek_completes_texts_beside_its_address(tmp_path: Path) -> None:
    async with at("deepseek", tmp_path) as (client, upstream):
        body = {"model": f"vendor/{CHAT_MODEL}", "prompt": "a", "suffix": "c", "max_tokens": 3}
        assert (await client.post("/v1/completions", body)).status == 200
        assert upstream.seen[-1].path == "/beta/completions"
        answer = await client.post("/v1/completions", {**body, "best_of": 3})
        assert (answer.status, answer.error["param"]) == (400, "best_of")


async def test_thinking_of_deepseek_s_may_go_on_after_a_tool_call(tmp_path: Path) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    thought = {"role": "assistant", "content": None, "reasoning_content": "add them", "tool_calls": [call]}
    turns = [*HI, thought, {"role": "tool", "tool_call_id": "call_1", "content": "3"}]
    async with at("deepseek", tmp_path) as (client, _):
        body = chat(messages=turns, tools=TOOLS, thinking={"type": "enabled"})
        assert (await client.post("/v1/chat/completions", body)).status == 200


async def test_an_error_inside_a_stream_of_openrouter_s_ends_it(tmp_path: Path) -> None:
    async def fails(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        await answer.write(b": OPENROUTER PROCESSING\n\n")
        half = {"index": 0, "delta": {"content": "half"}, "finish_reason": None}
        failed = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        error = {"code": 502, "message": "acme is down"}
        for event in ({"choices": [half]}, {"error": error, "choices": [failed]}):
            await answer.write(f"data: {json.dumps(event)}\n\n".encode())
        await answer.write(b"data: [DONE]\n\n")
        return answer

    async with at("openrouter", tmp_path) as (client, upstream):
        upstream.misbehaves = fails
        payloads = (await client.post("/v1/chat/completions", chat(stream=True))).payloads()
    assert '"half"' in payloads[0]
    assert "acme is down" in payloads[-1] and '"error"' in payloads[-1]


async def test_what_perplexity_found_is_passed_on(tmp_path: Path) -> None:
    async with at("perplexity", tmp_path) as (client, _):
        answer = (await client.post("/v1/chat/completions", chat())).json()
    assert answer["citations"] == ["https://example.com/"]
    assert answer["usage"]["citation_tokens"] == 7


async def test_a_service_that_has_closed_says_so(tmp_path: Path) -> None:
    provider = {
        "provider_id": "llama",
        "provider_type": "remote::llama-openai-compat",
        "config": {"api_key": "sk-x", "openai_compat_api_base": "https://api.llama.com/compat/v1/"},
    }
    async with serving(run_config(provider), tmp_path) as served:
        assert "the Llama API closed on 2026-07-06" in served.stack.degraded()["llama"]
        answer = await served.client.post("/v1/chat/completions", chat(model="llama/Llama-3.3-70B-Instruct"))
        assert (answer.status, "closed on 2026-07-06" in answer.error["message"]) == (503, True)


@pytest.mark.parametrize("vendor", ["groq", "cerebras", "sambanova", "fireworks", "together"])
async def test_a_provider_of_an_older_config_is_found(tmp_path: Path, vendor: str) -> None:
    async with at(vendor, tmp_path) as (_, upstream):
        config = {"openai_compat_api_base": upstream.url, "api_key": upstream.key}
        provider = {"provider_id": "vendor", "provider_type": f"remote::{vendor}-openai-compat", "config": config}
        async with serving(run_config(provider), tmp_path) as served:
            assert (await served.client.post("/v1/chat/completions", chat())).status == 200
