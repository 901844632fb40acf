"""The operations of the API `telemetry`."""

from __future__ import annotations

from typing import Protocol

from runtime.apis._api import Alias, route
from runtime.apis.telemetry.events import ExportSpansRequest, LogEventRequest
from runtime.apis.telemetry.metrics import QueryMetricsRequest, QueryMetricsResponse
from runtime.apis.telemetry.traces import (
    QueryResult,
    QuerySpansRequest,
    QuerySqlRequest,
    QueryTracesRequest,
    Span,
    SpanList,
    SpanRequest,
    SpanTree,
    SpanTreeRequest,
    Trace,
    TraceList,
    TraceRequest,
)
from runtime.errors import Unavailable

MAX_EVENT_BYTES = 1024 * 1024


def _also(path: str) -> tuple[Alias, ...]:
    return (Alias(path=path, deprecated=False),)


class Telemetry(Protocol):
    """A caller sees what its own requests led to, and what nobody's did."""

    @route("POST", "/v1/telemetry/traces", aliases=_also("/v1alpha/telemetry/traces"), raises=(Unavailable,))
    async def query_traces(self, request: QueryTracesRequest) -> TraceList:
        """Find traces. 400 for an order that is none."""
        ...

    @route(
        "GET",
        "/v1/telemetry/traces/{trace_id}",
        aliases=_also("/v1alpha/telemetry/traces/{trace_id}"),
        raises=(Unavailable,),
    )
    async def get_trace(self, request: TraceRequest) -> Trace:
        """Get a trace. 404 for an unknown id."""
        ...

    @route(
        "GET",
        "/v1/telemetry/traces/{trace_id}/spans/{span_id}",
        aliases=_also("/v1alpha/telemetry/traces/{trace_id}/spans/{span_id}"),
        raises=(Unavailable,),
    )
    async def get_span(self, request: SpanRequest) -> Span:
        """Get a span of a trace. 404 for an unknown id."""
        ...

    @route(
        "POST",
        "/v1/telemetry/spans/{span_id}/tree",
        aliases=_also("/v1alpha/telemetry/spans/{span_id}/tree"),
        raises=(Unavailable,),
    )
    async def get_span_tree(self, request: SpanTreeRequest) -> SpanTree:
        """Get a span and what lies below it. 404 for an unknown id."""
        ...

    @route("POST", "/v1/telemetry/spans", aliases=_also("/v1alpha/telemetry/spans"), raises=(Unavailable,))
    async def query_spans(self, request: QuerySpansRequest) -> SpanList:
        """Find spans."""
        ...

    @route(
        "POST",
        "/v1/telemetry/metrics/{metric_name}",
        aliases=_also("/v1alpha/telemetry/metrics/{metric_name}"),
        raises=(Unavailable,),
    )
    async def query_metrics(self, request: QueryMetricsRequest) -> QueryMetricsResponse:
        """Read a metric of what was kept. 404 for an unknown one, 400 for a label that it has not."""
        ...

    @route("POST", "/v1/telemetry/query", raises=(Unavailable,))
    async def query_sql(self, request: QuerySqlRequest) -> QueryResult:
        """Ask in SQL. 400 for what is not one SELECT, 403 for a caller who does not see everything."""
        ...

    @route(
        "POST",
        "/v1/telemetry/events",
        aliases=_also("/v1alpha/telemetry/events"),
        status=204,
        limit_bytes=MAX_EVENT_BYTES,
        raises=(Unavailable,),
    )
    async def log_event(self, request: LogEventRequest) -> None:
        """Keep what an application tells of itself. 400 for the end of a span whose beginning is not there."""
        ...

    @route(
        "POST",
        "/v1/telemetry/spans/export",
        aliases=_also("/v1alpha/telemetry/spans/export"),
        status=204,
        raises=(Unavailable,),
    )
    async def export_spans(self, request: ExportSpansRequest) -> None:
        """Append spans to a dataset, as rows; 10,000 at most. 404 for an unknown dataset."""
        ...
