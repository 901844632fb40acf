"""What a chat costs, as it is kept, counted and told: of vendors that count tokens each in a way of its own.

What each bills is from its page of prices, see `runtime/catalog/prices.tsv`, and how it counts from its documentation:
https://platform.openai.com/docs/guides/prompt-caching (what was cached is in `prompt_tokens`),
https://platform.claude.com/docs/en/build-with-claude/prompt-caching (it is not in `input_tokens`),
https://ai.google.dev/api/generate-content#UsageMetadata (it is in `promptTokenCount`, and thoughts are beside the rest)
and https://docs.x.ai/docs/guides/reasoning (reasoning is beside `completion_tokens`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import upstream_server
from tests.conformance.inference.at_vendor import HI, SPECS
from tests.conformance.inference.vendor import vendor_of
from tests.support.calls import answering

TELEMETRY = {"provider_id": "builtin", "provider_type": "inline::builtin"}
MILLION = 1e6


def openai(**usage: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Yes"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def anthropic(**usage: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": "Yes"}]
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
    return {**head, "content": content, "stop_sequence": None, "usage": usage}


def google(**usage: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": "Yes"}]}
    candidate = {"content": content, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r1"}


OPENAI = openai(
    prompt_tokens=1200, completion_tokens=300, total_tokens=1500,
    prompt_tokens_details={"cached_tokens": 1000}, completion_tokens_details={"reasoning_tokens": 100},
)  # fmt: skip
CLAUDE = anthropic(input_tokens=200, cache_read_input_tokens=1000, cache_creation_input_tokens=400, output_tokens=300)
GEMINI = google(
    promptTokenCount=300_000, cachedContentTokenCount=100_000, candidatesTokenCount=200, thoughtsTokenCount=100,
    totalTokenCount=300_300,
)  # fmt: skip
GROK = openai(
    prompt_tokens=1000, completion_tokens=100, total_tokens=1500, completion_tokens_details={"reasoning_tokens": 400}
)
CASES = {
    "openai": ("openai", "gpt-4o-mini", OPENAI, 200 * 0.15 + 1000 * 0.075 + 300 * 0.6),
    "anthropic": ("anthropic", "claude-sonnet-4-5", CLAUDE, 200 * 3 + 1000 * 0.3 + 400 * 3.75 + 300 * 15),
    "gemini, a long prompt": ("gemini", "gemini-2.5-pro", GEMINI, 200_000 * 2.5 + 100_000 * 0.25 + 300 * 15),
    "xai": ("xai", "grok-4.20", GROK, 1000 * 1.25 + 500 * 2.5),
    "another service": ("openai", "gpt-4o-mini", OPENAI | {"service_tier": "priority"}, None),
    "nobody's model": ("openai", "of-my-own", OPENAI, None),
}


@pytest.mark.parametrize(("vendor_name", "model", "says", "micro_usd"), CASES.values(), ids=CASES)
async def test_a_chat_costs_what_its_vendor_bills(
    tmp_path: Path, vendor_name: str, model: str, says: dict[str, Any], micro_usd: float | None
) -> None:
    spec = SPECS[vendor_name]
    vendor = vendor_of(spec)
    async with upstream_server(make=vendor.make) as upstream:
        upstream.key, upstream.models = vendor.key, [model]
        provider = {
            "provider_id": "vendor", "provider_type": spec.provider_type, "config": vendor.settings(upstream)
        }  # fmt: skip
        run = run_config(providers={"inference": [provider], "telemetry": [TELEMETRY]}, telemetry={"metrics": True})
        async with serving(run, tmp_path) as served:
            upstream.misbehaves = answering(lambda: web.json_response(says))
            body = {"model": f"vendor/{model}", "messages": HI, "max_tokens": 500}
            answer = await served.client.post("/v1/chat/completions", body)
            assert answer.status == 200, answer.body
            upstream.misbehaves = None
            [trace] = (await served.client.post("/v1/telemetry/traces", {"attribute_filters": [
                {"key": "gen_ai.request.model", "op": "eq", "value": model}]})).json()["data"]  # fmt: skip
            sql = "SELECT cost_usd, attributes->>'$.\"llama_stack.price.source\"' FROM spans WHERE api = 'inference'"
            [row] = (await served.client.post("/v1/telemetry/query", {"sql": sql})).json()["rows"]
            counted = (await served.client.get("/metrics")).body.decode()
            assert served.stack.last_hour is not None
            hour = served.stack.last_hour.summary().cost_usd
    if micro_usd is None:
        assert (trace["cost_usd"], row, hour) == (None, [None, None], 0)
        assert "llama_stack_cost" not in counted
        return
    usd = pytest.approx(micro_usd / MILLION, rel=1e-9)
    assert (trace["cost_usd"], row[0], hour) == (usd, usd, usd)
    assert row[1].startswith("litellm ")
    [line] = [line for line in counted.splitlines() if line.startswith("llama_stack_cost_total{")]
    assert float(line.rpartition(" ")[2]) == usd and f'gen_ai_request_model="{model}"' in line
