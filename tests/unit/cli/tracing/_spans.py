"""Spans as a server tells them, at milliseconds after a beginning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

BEGAN = datetime(2026, 11, 26, 12, 3, 4, tzinfo=UTC)
TRACE = "0af7651916cd43dd8448eb211c80319c"


def span(
    id: str,
    parent: str | None = None,
    *,
    name: str = "POST",
    at_ms: float = 0,
    took_ms: float = 100,
    error: str | None = None,
    **facts: Any,
) -> dict[str, Any]:
    """facts: attributes by their names, or the last part of one, as in `output_tokens`."""
    began = BEGAN + timedelta(milliseconds=at_ms)
    return {
        "span_id": id,
        "trace_id": TRACE,
        "parent_span_id": parent,
        "name": name,
        "start_time": began.isoformat().replace("+00:00", "Z"),
        "end_time": (began + timedelta(milliseconds=took_ms)).isoformat().replace("+00:00", "Z"),
        "attributes": {_NAMES.get(name, name): value for name, value in facts.items()},
        "status": "error" if error else "ok",
        "kind": "internal",
        "message": error,
    }


def request(id: str = "root", parent: str | None = None, **facts: Any) -> dict[str, Any]:
    """The span of a request."""
    given = {"name": "POST /v1/chat/completions", "status": 200, "request_id": "req_1", "overhead": 0.5, "waited": 90.0}
    return span(id, parent, **given | facts)


def call(id: str = "chat", parent: str = "root", **facts: Any) -> dict[str, Any]:
    """The span of a chat that a provider had."""
    of_it = {"api": "inference", "operation": "chat_completion", "provider_id": "vendor", "type": "remote::openai"}
    model = {"model": "small", "asked_for": "small", "resource_id": "small"}
    return span(id, parent, **{"name": "chat small"} | model | of_it | facts)


def attempt(id: str, parent: str = "chat", **facts: Any) -> dict[str, Any]:
    return span(id, parent, **{"server": "api.example", "port": 443, "method": "POST"} | facts)


_NAMES = {
    "status": "http.response.status_code",
    "method": "http.request.method",
    "server": "server.address",
    "port": "server.port",
    "request_id": "llama_stack.request.id",
    "overhead": "llama_stack.overhead_ms",
    "waited": "llama_stack.waited_ms",
    "api": "llama_stack.api",
    "operation": "llama_stack.operation",
    "provider_id": "llama_stack.provider.id",
    "type": "llama_stack.provider.type",
    "asked_for": "llama_stack.resource.asked_for",
    "resource_id": "llama_stack.resource.id",
    "source": "llama_stack.resource.source",
    "changed": "llama_stack.changed",
    "chosen": "llama_stack.chosen",
    "warnings": "llama_stack.warnings",
    "code": "llama_stack.error.code",
    "refused": "llama_stack.error.message",
    "hint": "llama_stack.error.hint",
    "tool": "gen_ai.tool.name",
    "gen_ai": "gen_ai.operation.name",
    "chunks": "llama_stack.chunks",
    "mode": "llama_stack.retrieval.mode",
    "flagged": "llama_stack.shield.flagged",
    "model": "gen_ai.request.model",
    "answered": "gen_ai.response.model",
    "first_s": "gen_ai.response.time_to_first_chunk",
    "finish": "gen_ai.response.finish_reasons",
    "temperature": "gen_ai.request.temperature",
    "stream": "gen_ai.request.stream",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached": "gen_ai.usage.cache_read.input_tokens",
    "kept": "gen_ai.usage.cache_creation.input_tokens",
    "audio": "gen_ai.usage.audio.input_tokens",
    "tier": "openai.response.service_tier",
    "cost": "llama_stack.cost_usd",
    "price_source": "llama_stack.price.source",
    **{f"rate_{kind}": f"llama_stack.price.{kind}" for kind in ("input", "output", "reasoning")},
    **{f"rate_{kind}": f"llama_stack.price.{kind}" for kind in ("cached_input", "cache_write")},
    "reasoning": "gen_ai.usage.reasoning.output_tokens",
}
