"""What applications tell: the table `events`, and the spans that two of them make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runtime.apis.telemetry.events import (
    LogEventRequest,
    MetricEvent,
    SpanEndPayload,
    SpanStartPayload,
    StructuredLogEvent,
    UnstructuredLogEvent,
)
from runtime.redaction import redact_text
from runtime.sse import decode
from runtime.storage.analytics.tables import AnalyticsColumn, AnalyticsTable

EVENTS = AnalyticsTable(
    name="events",
    columns=(
        AnalyticsColumn("time", "time"),
        AnalyticsColumn("expires", "time"),
        AnalyticsColumn("trace_id", "text"),
        AnalyticsColumn("span_id", "text"),
        AnalyticsColumn("owner", "text"),
        AnalyticsColumn("kind", "text"),
        AnalyticsColumn("name", "text"),
        AnalyticsColumn("value", "real"),
        AnalyticsColumn("unit", "text"),
        AnalyticsColumn("detail", "text"),
        AnalyticsColumn("attributes", "json"),
    ),
    aged_by="expires",
)
"""kind: `log`, `metric`, `span_start` or `span_end`. name: the line of a log, the name of a metric or of a span.
detail: the severity of a line, the parent of a span that begins, the status of one that ends.
"""
BEGUN = """
SELECT epoch(time) AS began, name, detail AS parent_id, attributes FROM events
WHERE kind = 'span_start' AND trace_id = ? AND span_id = ? AND owner IS NOT DISTINCT FROM ? ORDER BY time DESC LIMIT 1
"""
"""The beginning of a caller's span."""
ENDED = """
SELECT 1 FROM events WHERE kind = 'span_end' AND trace_id = ? AND span_id = ? AND owner IS NOT DISTINCT FROM ?
AND time = to_timestamp(?) LIMIT 1
"""
"""An end of it that was told before: a client whose answer was lost tells it again."""


@dataclass(frozen=True)
class Ended:
    """A span that an application has told of. began, ended: seconds since 1970."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    began: float
    ended: float
    is_error: bool
    attributes: Mapping[str, Any]


def row_of(request: LogEventRequest, owner: str | None, now: float) -> dict[str, Any]:
    """The row of an event. now: seconds since 1970."""
    event = request.event
    facts = _facts(event)
    return {
        "time": event.timestamp.timestamp(),
        "expires": now + request.ttl_seconds,
        "trace_id": event.trace_id,
        "span_id": event.span_id,
        "owner": owner,
        "attributes": event.attributes or {},
        **facts,
    }


def ended(event: StructuredLogEvent, payload: SpanEndPayload, begun: Mapping[str, Any]) -> Ended:
    """The span of an event that ends it. begun: what `BEGUN` finds."""
    return Ended(
        trace_id=event.trace_id,
        span_id=event.span_id,
        parent_id=begun["parent_id"],
        name=begun["name"],
        began=begun["began"],
        ended=max(begun["began"], event.timestamp.timestamp()),
        is_error=payload.status == "error",
        attributes=decode(begun["attributes"].encode()) | (event.attributes or {}),
    )


def _facts(event: UnstructuredLogEvent | MetricEvent | StructuredLogEvent) -> dict[str, Any]:
    if isinstance(event, UnstructuredLogEvent):
        return {"kind": "log", "name": redact_text(event.message), "detail": event.severity}
    if isinstance(event, MetricEvent):
        return {"kind": "metric", "name": event.metric, "value": event.value, "unit": event.unit}
    if isinstance(event.payload, SpanStartPayload):
        return {"kind": "span_start", "name": event.payload.name, "detail": event.payload.parent_span_id}
    return {"kind": "span_end", "detail": event.payload.status}
