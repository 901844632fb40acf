"""Keeps what has happened, and answers for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from runtime.access import User, sees_all
from runtime.apis.datasetio.protocol import AppendRowsRequest, DatasetIO
from runtime.apis.telemetry.events import ExportSpansRequest, LogEventRequest, SpanEndPayload, StructuredLogEvent
from runtime.apis.telemetry.metrics import QueryMetricsRequest, QueryMetricsResponse
from runtime.apis.telemetry.traces import (
    MOST_SPANS,
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
from runtime.clock import wall_time
from runtime.context import current, warn
from runtime.errors import AccessDenied, NotFound, RequestError, StackError
from runtime.provider import ProviderContext
from runtime.providers.telemetry.builtin import queries
from runtime.providers.telemetry.builtin.config import TelemetryConfig
from runtime.providers.telemetry.builtin.events import BEGUN, ENDED, EVENTS, ended, row_of
from runtime.providers.telemetry.builtin.kept import Kept
from runtime.providers.telemetry.builtin.metrics import metrics, series_of
from runtime.providers.telemetry.builtin.rows import row_of_told
from runtime.providers.telemetry.builtin.shapes import DAY_S
from runtime.providers.telemetry.builtin.tables import SHAPES, TRACES

log = logging.getLogger(__name__)
_REMOVE_EVERY_S = 3600.0
_QUERIES_AT_ONCE = 2
"""Of callers, who may ask for anything; that is half of what is answered at once."""


class BuiltinTelemetry:
    """Implements `Telemetry` and `Starts`."""

    def __init__(self, config: TelemetryConfig, context: ProviderContext) -> None:
        self._keep_s, self._keep_traces = config.keep_days * DAY_S, config.keep_traces
        self._analytics = context.storage.analytics(TRACES, EVENTS)
        self._datasets = context.optional_api(DatasetIO)  # type: ignore[type-abstract]
        self._tasks = context.tasks
        self._spans = context.spans
        self._kept = Kept(self._analytics, str if self._spans is None else self._spans.without_secrets)
        self._querying = asyncio.Semaphore(_QUERIES_AT_ONCE)
        if self._spans is not None:  # else nothing is told, and what was kept before can be read
            self._spans.add(self._kept)

    async def start(self) -> None:
        self._tasks.spawn(self._kept.run(), name="write what has happened")
        self._tasks.spawn(self._remove_old(), name="remove old traces")

    async def query_traces(self, request: QueryTracesRequest) -> TraceList:
        asked = queries.traces(request, owner=_owner())
        return TraceList(data=[queries.trace_of(row) for row in await self._find(asked)])

    async def get_trace(self, request: TraceRequest) -> Trace:
        """Raises NotFound."""
        for row in await self._find(queries.trace(request.trace_id, owner=_owner())):
            return queries.trace_of(row)
        raise _unknown("trace", request.trace_id)

    async def get_span(self, request: SpanRequest) -> Span:
        """Raises NotFound."""
        for row in await self._find(queries.span(request.trace_id, request.span_id, owner=_owner())):
            return queries.span_of(row)
        raise _unknown("span", request.span_id)

    async def get_span_tree(self, request: SpanTreeRequest) -> SpanTree:
        """Of several traces that have a span of this id, the one in which it began last. Raises NotFound."""
        rows = await self._find(queries.spans_beside(request.span_id, owner=_owner()))
        roots = [queries.place_of(row) for row in rows if row["span_id"] == request.span_id]
        if not roots:
            raise _unknown("span", request.span_id)
        below = queries.below(rows, roots[-1:], request.max_depth)
        wanted = request.attributes_to_return
        return SpanTree(data={row["span_id"]: queries.span_of(row, wanted) for row in below.values()})

    async def query_spans(self, request: QuerySpansRequest) -> SpanList:
        rows = await self._find(queries.spans(request, owner=_owner()))
        if request.max_depth:
            ids = [queries.place_of(row) for row in rows]
            every = await self._find(queries.spans_of_traces({row["trace_id"] for row in rows}, owner=_owner()))
            rows = list(queries.below(every, ids, request.max_depth).values())
        return SpanList(data=[queries.span_of(row, request.attributes_to_return) for row in rows])

    async def query_metrics(self, request: QueryMetricsRequest) -> QueryMetricsResponse:
        """Raises NotFound, RequestError."""
        rows = await self._find(metrics(request, owner=_owner(), now=wall_time()))
        return QueryMetricsResponse(data=series_of(request, rows))

    async def query_sql(self, request: QuerySqlRequest) -> QueryResult:
        """Raises AccessDenied, RequestError for what is not one SELECT."""
        if not sees_all(current().user):
            raise AccessDenied("A query in SQL sees everybody's requests", hint="ask `/v1/telemetry/spans`")
        await self._flush()
        async with self._querying:
            found = await self._analytics.query(request.sql, most_rows=request.limit)
        rows = [[queries.json_of(value) for value in row] for row in found.rows]
        return QueryResult(columns=list(found.columns), rows=rows, has_more=found.has_more)

    async def log_event(self, request: LogEventRequest) -> None:
        """Raises RequestError for the end of a span whose beginning is not there."""
        owner, event, now = _as_owner(), request.event, wall_time()
        rows = []
        if isinstance(event, StructuredLogEvent) and isinstance(event.payload, SpanEndPayload):
            which = [event.trace_id, event.span_id, owner]
            if await self._find(queries.Asked(ENDED, [*which, event.timestamp.timestamp()])):
                return
            begun = await self._find(queries.Asked(BEGUN, which))
            if not begun:
                raise RequestError(
                    f"The beginning of the span `{event.span_id}` is not there",
                    hint="tell of it first: an event with the payload `span_start`",
                    param="event.span_id",
                )
            rows = [row_of_told(ended(event, event.payload, begun[0]), owner, now)]
        await self._analytics.append(TRACES, rows)  # before the event, by which it is known to be told
        await self._analytics.append(EVENTS, [row_of(request, owner, now)])

    async def export_spans(self, request: ExportSpansRequest) -> None:
        """Raises RequestError where the stack has no datasets, and what appending to one does."""
        if self._datasets is None:
            raise RequestError("No dataset can be written here: no provider of the API datasetio is configured")
        asked = QuerySpansRequest(
            attribute_filters=request.attribute_filters,
            attributes_to_return=request.attributes_to_save or None,
            max_depth=request.max_depth,
            limit=MOST_SPANS,
        )
        found = (await self.query_spans(asked)).data
        rows = [queries.exported(span, request.attributes_to_save) for span in found]
        await self._datasets.append_rows(AppendRowsRequest(dataset_id=request.dataset_id, rows=rows))

    async def _remove_old(self) -> None:
        await self._kept.has_begun.wait()  # a server that nobody asks does not open the file
        while True:
            try:
                oldest = await self._oldest_kept()
                await self._analytics.remove_before(TRACES, oldest)
                await self._analytics.remove_before(SHAPES, oldest - 2 * DAY_S)
                await self._analytics.remove_before(EVENTS, wall_time())
            except StackError as error:
                log.warning("old traces are removed later", extra={"error": error.message})
            await asyncio.sleep(_REMOVE_EVERY_S)

    async def _oldest_kept(self) -> float:
        """When the oldest trace began that stays, in seconds since 1970: by their age, and by their number."""
        by_age = wall_time() - self._keep_s
        found = await self._analytics.query(queries.OLDEST_OF_SO_MANY, [self._keep_traces])
        return max([by_age, *(float(row[0]) for row in found.rows)])

    async def _flush(self) -> None:
        if self._spans is None:
            warn("telemetry is turned off in the run config (`telemetry.enabled`): only what was kept before is found")
            return
        await self._spans.flush()
        await self._kept.write()

    async def _find(self, asked: queries.Asked) -> list[Mapping[str, Any]]:
        """The rows that a query of ours finds, with what has just ended. Raises RequestError for too many."""
        await self._flush()
        self._kept.has_begun.set()
        found = await self._analytics.query(asked.sql, asked.parameters, most_rows=MOST_SPANS)
        if found.has_more:
            raise RequestError(f"more than {MOST_SPANS} rows are found", hint=asked.hint, code="query_too_large")
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def _owner() -> str | None:
    """Whose traces the caller of the current request sees, beside nobody's; None for everybody's."""
    user = current().user
    return None if sees_all(user) else getattr(user, "principal", "")


def _as_owner() -> str | None:
    """Whose an event is that the caller tells of; None for a caller without a name."""
    user = current().user
    return user.principal if isinstance(user, User) else None


def _unknown(what: str, id: str) -> NotFound:
    return NotFound(
        f"There is no {what} `{id[:100]}`",
        hint="`POST /v1/telemetry/traces` finds those that are kept",
        param=f"{what}_id",
    )
