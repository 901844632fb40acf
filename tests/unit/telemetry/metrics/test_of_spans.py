"""What spans say is counted under OpenTelemetry's names, and under those of llama-stack and ogx."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.errors import RateLimited
from runtime.telemetry import conventions as names
from runtime.telemetry.last_hour import LastHour
from runtime.telemetry.metrics.instruments import Distribution, Sum
from runtime.telemetry.metrics.of_spans import SpanMetrics
from runtime.telemetry.spans import Kind, Span, begin_trace
from tests.unit.telemetry._seen import Seen

CALL: dict[str, Any] = {
    names.API: "inference",
    names.API_OPERATION: "chat_completion",
    names.PROVIDER_ID: "vendor",
    names.PROVIDER_TYPE: "remote::openai",
    names.PROVIDER: "openai",
    names.OPERATION: "chat",
    names.REQUEST_MODEL: "large",
}


def span(attributes: dict[str, Any], kind: Kind = "client", seconds: float = 2.0, error: str = "") -> Span:
    made = begin_trace(Seen(), "a", attributes, request_id="req_1")
    made.kind, made.error, made.ended = kind, error, made.began + seconds
    return made


async def counted(*spans: Span, operations: dict[tuple[str, str], tuple[str, str]] | None = None) -> dict[str, Any]:
    """By the name of a metric: of each series its labels, with its sum; of distributions also how many values."""
    metrics = SpanMetrics(lambda: operations or {})
    await metrics.export(spans, 0.0)
    return {
        instrument.name: {
            tuple(value for _, value in one.labels): (
                (round(one.total, 6), sum(one.counts)) if isinstance(one, Distribution) else one.value
            )
            for one in instrument.series()
            if isinstance(one, Distribution | Sum)
        }
        for instrument in metrics.instruments
        if [*instrument.series()]
    }


async def test_a_request_is_told_by_its_route_and_by_the_operation_behind_it() -> None:
    asked = {names.METHOD: "POST", names.URL_SCHEME: "http", names.ROUTE: "/v1/chat/completions", names.STATUS: 200}
    found = await counted(
        span(asked, "server"),
        span({**asked, names.STATUS: 502}, "server", 1.0, "502"),
        span({**asked, names.METHOD: "BREW", names.STATUS: 404, names.ROUTE: None}, "server"),
        span({**asked, names.METHOD: "WS", names.STATUS: 101}, "server", 3600.0),
        operations={("POST", "/v1/chat/completions"): ("inference", "chat_completion")},
    )
    assert found == {
        "http.server.request.duration": {
            ("POST", "http", "/v1/chat/completions", "200"): (2.0, 1),
            ("POST", "http", "/v1/chat/completions", "502", "502"): (1.0, 1),
            ("_OTHER", "http", "404"): (2.0, 1),
        },
        "llama_stack.requests_total": {
            ("inference", "chat_completion", "success", "200"): 1,
            ("inference", "chat_completion", "error", "502"): 1,
            ("unknown", "unknown", "error", "404"): 1,
            ("unknown", "unknown", "success", "101"): 1,
        },
        "llama_stack.request_duration_seconds": {
            ("inference", "chat_completion"): (3.0, 2),
            ("unknown", "unknown"): (2.0, 1),
        },
    }


async def test_a_call_of_a_model_is_told_with_its_tokens_and_its_waits() -> None:
    usage = {names.INPUT_TOKENS: 10, names.OUTPUT_TOKENS: 4, names.FIRST_CHUNK_S: 0.5, names.STREAM: True}
    found = await counted(span(CALL | usage))
    of_model = ("chat", "openai", "large", "vendor")
    assert found == {
        "gen_ai.client.operation.duration": {of_model: (2.0, 1)},
        "gen_ai.client.token.usage": {(*of_model, "input"): (10.0, 1), (*of_model, "output"): (4.0, 1)},
        "gen_ai.client.operation.time_to_first_chunk": {of_model: (0.5, 1)},
        "llama_stack.inference.duration_seconds": {("vendor/large", "vendor", "true", "success"): (2.0, 1)},
        "llama_stack.inference.time_to_first_token_seconds": {("vendor/large", "vendor"): (0.5, 1)},
        "llama_stack.inference.tokens_per_second": {("vendor/large", "vendor", "true"): (2.0, 1)},
        "llama_stack.inference.model_type_used_total": {("completion", "vendor/large", "vendor"): 1},
        "prompt_tokens": {("vendor/large", "vendor"): 10},
        "completion_tokens": {("vendor/large", "vendor"): 4},
        "total_tokens": {("vendor/large", "vendor"): 14},
        "llama_stack.provider.call.duration": {("inference", "chat_completion", "vendor"): (2.0, 1)},
    }


async def test_what_calls_cost_is_added_up_where_it_is_known() -> None:
    found = await counted(*(span(CALL | {names.COST_USD: usd}) for usd in (0.25, 0.5)), span(CALL))
    assert found["llama_stack.cost"] == {("chat", "openai", "large", "vendor"): 0.75}
    assert "llama_stack.cost" not in await counted(span(CALL))


async def test_our_own_engine_is_a_server_too() -> None:
    usage = {names.OUTPUT_TOKENS: 4, names.FIRST_CHUNK_S: 0.5, names.RESOURCE_ID: "mine"}
    found = await counted(span(CALL | usage, "internal"), span(CALL, "internal", error="engine_failed"))
    of_model = ("chat", "openai", "large", "vendor")
    assert found["gen_ai.server.request.duration"] == {of_model: (2.0, 1), (*of_model, "engine_failed"): (2.0, 1)}
    assert found["gen_ai.server.time_to_first_token"] == {of_model: (0.5, 1)}
    assert found["gen_ai.server.time_per_output_token"] == {of_model: (0.5, 1)}
    assert found["completion_tokens"] == {("mine", "vendor"): 4}
    assert "prompt_tokens" not in found


async def test_what_fails_is_told_by_why() -> None:
    failed = span(CALL)
    failed.fail(RateLimited("slow down"))
    found = await counted(failed)
    [of_model] = found["gen_ai.client.operation.duration"]
    assert of_model[-1] == failed.error
    assert found["llama_stack.inference.duration_seconds"] == {("vendor/large", "vendor", "false", "error"): (2.0, 1)}


async def test_an_attempt_is_told_by_the_server_that_was_asked() -> None:
    attempt = {names.METHOD: "POST", names.SERVER_ADDRESS: "api.example.com", names.SERVER_PORT: 443}
    found = await counted(span({**attempt, names.STATUS: 200}), span(attempt, error="ConnectError"))
    assert found == {
        "http.client.request.duration": {
            ("POST", "api.example.com", "443", "200"): (2.0, 1),
            ("POST", "api.example.com", "443", "ConnectError"): (2.0, 1),
        }
    }


async def test_tools_stores_and_responses_are_told_as_ogx_does() -> None:
    def of(api: str, operation: str, **said: Any) -> dict[str, Any]:
        return {names.API: api, names.API_OPERATION: operation, names.PROVIDER_ID: "p", **said}

    found = await counted(
        span(of("tool_runtime", "invoke_tool", **{names.TOOL_NAME: "search", names.OPERATION: "execute_tool"})),
        span(of("tool_runtime", "list_tools")),
        span(of("vector_stores", "create_store")),
        span(of("vector_stores", "attach_file", **{names.DATA_SOURCE_ID: "vs_1"})),
        span(of("vector_stores", "insert_chunks", **{names.DATA_SOURCE_ID: "vs_1", names.CHUNKS: 7})),
        span(of("vector_stores", "search_store", **{names.DATA_SOURCE_ID: "vs_1", names.FOUND: 3})),
        span(of("vector_stores", "delete_store", **{names.DATA_SOURCE_ID: "vs_1"}), error="not_found"),
        span(of("responses", "create_response", **{names.STREAM: True, names.TEMPERATURE: 0.5})),
        span(of("responses", "create_response", **{names.TOOL_TYPES: ["function", "mcp"]})),
        span(of("responses", "create_response", **{names.TOOL_TYPES: ["function"]})),
        span(of("responses", "get_response", **{names.TOOL_TYPES: ["function"]})),
    )
    assert found["llama_stack.tool_runtime.invocations_total"] == {("search", "p", "success"): 1}
    assert found["gen_ai.execute_tool.duration"] == {("search",): (2.0, 1)}
    at = "llama_stack.vector_io"
    assert found[f"{at}.stores_total"] == {("create", "p", "success"): 1}
    assert found[f"{at}.files_total"] == {("vs_1", "file", "p", "success"): 1}
    assert found[f"{at}.inserts_total"] == {
        ("vs_1", "file", "p", "success"): 1,
        ("vs_1", "chunks", "p", "success"): 1,
    }
    assert found[f"{at}.chunks_processed_total"] == {("vs_1", "chunks", "p", "success"): 7}
    assert found[f"{at}.queries_total"] == {("vs_1", "search", "p", "success"): 1}
    assert found[f"{at}.documents_retrieved_total"] == {("vs_1", "search", "p", "success"): 3}
    assert found[f"{at}.retrieval_duration_seconds"] == {("search", "p", "success"): (2.0, 1)}
    assert found[f"{at}.deletes_total"] == {("vs_1", "store", "p", "error"): 1}
    assert found["llama_stack.responses.parameter_usage_total"] == {
        ("create_response", "stream"): 1,
        ("create_response", "temperature"): 1,
    }
    assert found["llama_stack.responses.tool_types_used_total"] == {("function",): 2, ("mcp",): 1}
    assert found["llama_stack.responses.agentic_calls_total"] == {(): 2}
    assert sum(count for _, count in found["llama_stack.provider.call.duration"].values()) == 11


async def test_a_span_that_says_nothing_or_something_odd_is_counted_all_the_same() -> None:
    odd = {names.API: 5, names.OPERATION: 7, names.INPUT_TOKENS: "many", names.METHOD: 3}
    found = await counted(span({}), span(odd), span({names.API: "inference"}), span(odd, "server"))
    assert found["llama_stack.provider.call.duration"] == {(): (2.0, 1), ("inference",): (2.0, 1)}
    assert found["llama_stack.requests_total"] == {("unknown", "unknown", "success", "0"): 1}


@pytest.mark.parametrize("tokens", [-5, 2**63, 10**400, "many", 1.5, None])
async def test_what_can_be_no_number_of_tokens_is_not_counted(tokens: Any) -> None:
    """Vendors say what they like; a counter that falls, or that OTLP cannot hold, spoils all that follows."""
    said = {**CALL, names.INPUT_TOKENS: tokens, names.OUTPUT_TOKENS: tokens}
    found = await counted(span(said), span({**CALL, names.INPUT_TOKENS: 3, names.OUTPUT_TOKENS: 0}))
    assert [[*found[name].values()] for name in ("prompt_tokens", "completion_tokens", "total_tokens")] == [
        [3], [0], [3],
    ]  # fmt: skip
    assert [*found["gen_ai.client.token.usage"].values()] == [(3.0, 1), (0.0, 1)]
    assert [*found["llama_stack.inference.tokens_per_second"].values()] == [(0.0, 1)]
    hour = LastHour()
    await hour.export([span(said)], 0.0)
    assert (hour.summary().input_tokens, hour.summary().output_tokens) == (0, 0)
