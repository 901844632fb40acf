"""What Gemini has in its own form, asked through OpenAI's. https://ai.google.dev/api"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from aiohttp import web

from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, started_stream, upstream_server
from tests.conformance.inference.at_vendor import HI, SPECS, TOOLS, asked, at, chat, embedding
from tests.conformance.inference.vendor import vendor_of


async def test_what_can_be_asked_is_listed_with_its_kind_and_its_context(tmp_path: Path) -> None:
    async with at("gemini", tmp_path) as (client, _):
        listed = {model["id"]: model for model in (await client.get("/v1/models")).json()["data"]}
        assert listed.keys() == {f"vendor/{CHAT_MODEL}", f"vendor/{EMBEDDING_MODEL}"}  # none that makes films
        found = listed[f"vendor/{CHAT_MODEL}"]
        assert (found["model_type"], found["custom_metadata"]["context_length"]) == ("llm", 10000)
        assert listed[f"vendor/{EMBEDDING_MODEL}"]["model_type"] == "embedding"


@pytest.mark.parametrize("more", ["/openai", "/openai/", ""])
async def test_an_older_address_means_the_same(tmp_path: Path, more: str) -> None:
    vendor = vendor_of(SPECS["gemini"])
    async with upstream_server(make=vendor.make) as upstream:
        upstream.key = vendor.key
        settings = {"base_url": upstream.url + more, "api_key": vendor.key}
        provider = {"provider_id": "vendor", "provider_type": "remote::gemini", "config": settings}
        async with serving(run_config(provider), tmp_path) as served:
            assert (await served.client.post("/v1/chat/completions", chat())).status == 200
        assert upstream.seen[-1].path == f"/v1beta/models/{CHAT_MODEL}:generateContent"


async def test_several_answers_come_streamed_although_gemini_does_not_stream_them(tmp_path: Path) -> None:
    async with at("gemini", tmp_path) as (client, upstream):
        body = chat(n=2, seed=1, stream=True, stream_options={"include_usage": True})
        events = (await client.post("/v1/chat/completions", body)).events()
        assert {choice["index"] for event in events for choice in event["choices"]} == {0, 1}
        assert events[-1]["choices"] == [] and events[-1]["usage"]["completion_tokens"] == 10
        assert upstream.seen[-1].path.endswith(":generateContent")


async def test_what_it_thought_and_how_much_is_told(tmp_path: Path) -> None:
    async with at("gemini", tmp_path) as (client, _):
        body = chat(reasoning_effort="high", max_tokens=50)
        whole = (await client.post("/v1/chat/completions", body)).json()
        thought = whole["choices"][0]["message"]["reasoning_content"]
        assert thought and whole["usage"]["completion_tokens_details"]["reasoning_tokens"] == len(thought.split())
        events = (await client.post("/v1/chat/completions", {**body, "stream": True})).events()
        deltas = [choice["delta"] for event in events for choice in event["choices"]]
        assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == thought


async def test_a_call_comes_back_with_its_signature_and_its_answer_is_read(tmp_path: Path) -> None:
    async with at("gemini", tmp_path) as (client, upstream):
        body = chat(tools=TOOLS, tool_choice="required")
        message = (await client.post("/v1/chat/completions", body)).json()["choices"][0]["message"]
        assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "c2lnbmF0dXJl"}}
        results = [
            {"role": "tool", "tool_call_id": call["id"], "content": f"result {place}"}
            for place, call in enumerate(message["tool_calls"])
        ]
        answer = await client.post("/v1/chat/completions", chat(messages=[*HI, message, *results], max_tokens=50))
        assert answer.status == 200, answer.body
        assert "result 0" in answer.json()["choices"][0]["message"]["content"]
        assert asked(upstream)[-1]["messages"][1]["tool_calls"] == message["tool_calls"]


async def test_many_texts_go_in_batches_and_stay_in_order(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(205)]
    async with at("gemini", tmp_path) as (client, upstream):
        answer = (await client.post("/v1/embeddings", embedding(input=texts))).json()
        assert sorted(len(body["input"]) for body in asked(upstream)) == [5, 100, 100]
        for place in (0, 100, 204):
            alone = (await client.post("/v1/embeddings", embedding(input=texts[place]))).json()
            assert answer["data"][place]["embedding"] == alone["data"][0]["embedding"]


async def test_vectors_that_are_cut_have_the_length_one_and_know_what_they_are_for(tmp_path: Path) -> None:
    async with at("gemini", tmp_path) as (client, upstream):
        answer = await client.post("/v1/embeddings", embedding(dimensions=3, input_type="query"))
        vector = answer.json()["data"][0]["embedding"]
        assert len(vector) == 3 and math.isclose(math.hypot(*vector), 1)
        assert asked(upstream)[-1]["input_type"] == "RETRIEVAL_QUERY"


async def test_a_stream_without_a_reason_is_broken_off(tmp_path: Path) -> None:
    async def ends_early(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        event = {"candidates": [{"content": {"parts": [{"text": "half"}]}}]}
        await answer.write(f"data: {json.dumps(event)}\r\n\r\n".encode())
        return answer

    async with at("gemini", tmp_path) as (client, upstream):
        upstream.misbehaves = ends_early
        payloads = (await client.post("/v1/chat/completions", chat(stream=True))).payloads()
        assert '"half"' in payloads[0] and "upstream_incomplete" in payloads[-1]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_of_google_s_keeps_its_words_and_its_wait(tmp_path: Path, stream: bool) -> None:
    async def busy(request: web.Request) -> web.StreamResponse:
        details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "45.2s"}]
        error = {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": details}
        return web.json_response({"error": error}, status=429)

    async with at("gemini", tmp_path, network={"max_retries": 0}) as (client, upstream):
        upstream.misbehaves = busy
        answer = await client.post("/v1/chat/completions", chat(stream=stream))
        assert (answer.status, answer.json()["error"]["code"]) == (429, "RESOURCE_EXHAUSTED")
        assert answer.headers["retry-after"] == "46"


async def test_tokens_are_counted_by_gemini_before_it_answers(tmp_path: Path) -> None:
    async with at("gemini", tmp_path) as (client, upstream):
        tools = [{"type": "function", "name": "add", "parameters": {"type": "object"}}]
        body = {"model": f"vendor/{CHAT_MODEL}", "input": "one two three", "instructions": "Be brief.", "tools": tools}
        answer = await client.post("/v1/responses/input_tokens", body)
        assert (answer.status, answer.json()["input_tokens"]) == (200, 5), answer.body
        assert upstream.seen[-1].path.endswith(f"{CHAT_MODEL}:countTokens")
