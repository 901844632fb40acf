"""What has happened, as the versions of llama-stack's own client ask for it that know of it."""

from __future__ import annotations

from typing import Any

from driver import failure
from of_openai import SCENARIOS, client

IDS = {"trace_id": "of-the-client", "span_id": "a-step"}


def traced(url: str, model: str, dataset: str) -> Any:
    """A chat is found again: its trace, spans, their tree, and as rows of a dataset; so is what the client tells."""
    at = client(url)
    telemetry = at.telemetry if hasattr(at, "telemetry") else at.alpha.telemetry
    SCENARIOS["chat"](url, model, max_tokens=2)
    chats = [{"key": "gen_ai.operation.name", "op": "eq", "value": "chat"}]
    [trace] = telemetry.query_traces(attribute_filters=chats, limit=10, order_by=["start_time"])
    [span] = telemetry.query_spans(attribute_filters=chats, attributes_to_return=["gen_ai.request.model"])
    tree = telemetry.get_span_tree(trace.root_span_id, max_depth=1)
    telemetry.save_spans_to_dataset(
        attribute_filters=chats, attributes_to_save=["gen_ai.request.model"], dataset_id=dataset
    )
    told = {
        "same": telemetry.get_trace(trace.trace_id) == trace,
        "is_over": trace.end_time is not None and trace.end_time >= trace.start_time,
        "span": [span.name, span.trace_id == trace.trace_id, span.attributes],
        "alone": telemetry.get_span(span.span_id, trace_id=trace.trace_id).name,
        "tree": sorted([one.name, one.status] for one in tree.values()),
        "unknown": failure(lambda: telemetry.get_trace("0" * 32)),
    }
    if hasattr(telemetry, "log_event"):
        at_noon = {**IDS, "timestamp": "2026-11-28T12:00:00Z"}
        for event in (
            {"type": "unstructured_log", "message": "it rains", "severity": "info"},
            {"type": "metric", "metric": "drops", "value": 3, "unit": "1"},
            {"type": "structured_log", "payload": {"type": "span_start", "name": "a step"}},
            {"type": "structured_log", "payload": {"type": "span_end", "status": "ok"}},
        ):
            telemetry.log_event(event={**at_noon, **event}, ttl_seconds=60)
        told["told"] = telemetry.get_span(IDS["span_id"], trace_id=IDS["trace_id"]).name
    return told
