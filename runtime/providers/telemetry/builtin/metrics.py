"""Which metrics can be read from the spans that are kept, the queries for them, and what their rows are for the API.
Knows no driver.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.apis.telemetry.metrics import (
    MetricDataPoint,
    MetricLabel,
    MetricLabelMatcher,
    MetricSeries,
    QueryMetricsRequest,
)
from runtime.errors import NotFound, RequestError
from runtime.providers.telemetry.builtin.queries import Asked, seen_by
from runtime.telemetry import conventions as names

_PREFIXES = ("llama_stack.", "ogx.")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_COMPARED = {
    "=": "{} = ?",
    "!=": "{} <> ?",
    "=~": "regexp_full_match({}, ?)",
    "!~": "NOT regexp_full_match({}, ?)",
}


@dataclass(frozen=True)
class _Metric:
    """value: what is computed of the spans that `where` finds. labels: what they are split by, each with its SQL."""

    value: str
    unit: str
    where: str
    labels: Mapping[str, str]


def _said(name: str) -> str:
    """An attribute of a span, in SQL."""
    return f"attributes->>'$.{json.dumps(name)}'"


_MEAN_S = "avg(duration_ms) / 1000"
_STATUS = "CASE WHEN coalesce(error, '') = '' AND coalesce(status, 0) < 400 THEN 'success' ELSE 'error' END"
_MODEL = f"coalesce({_said('llama_stack.resource.id')}, provider_id || '/' || model)"
_REQUESTS, _MODELS = "kind = 'server'", f"api = 'inference' AND {_said(names.OPERATION)} IS NOT NULL"
_ASKED, _ANSWERED = f"{_MODELS} AND input_tokens IS NOT NULL", f"{_MODELS} AND output_tokens IS NOT NULL"
_TOOLS = "api = 'tool_runtime' AND operation = 'invoke_tool'"
_SEARCHES = "api = 'vector_stores' AND operation IN ('search_store', 'query_chunks', 'query_documents')"
_OF_TOKENS = {"model_id": _MODEL, "provider_id": "provider_id"}
_OF_REQUEST = {"method": _said(names.METHOD), "route": _said(names.ROUTE), "status_code": "status", "status": _STATUS}
_OF_MODEL = {"model": _MODEL, "provider": "provider_id", "status": _STATUS}
_OF_TOOL = {"tool_name": _said("gen_ai.tool.name"), "provider": "provider_id", "status": _STATUS}
_OF_SEARCH = {"vector_db": _said("gen_ai.data_source.id"), "provider": "provider_id", "status": _STATUS}
_METRICS = {
    "prompt_tokens": _Metric("sum(input_tokens)", "tokens", _ASKED, _OF_TOKENS),
    "completion_tokens": _Metric("sum(output_tokens)", "tokens", _ANSWERED, _OF_TOKENS),
    "total_tokens": _Metric(
        "sum(coalesce(input_tokens, 0)::HUGEINT + coalesce(output_tokens, 0))",
        "tokens",
        f"{_MODELS} AND coalesce(input_tokens, output_tokens) IS NOT NULL",
        _OF_TOKENS,
    ),
    "requests_total": _Metric("count(*)", "requests", _REQUESTS, _OF_REQUEST),
    "request_duration_seconds": _Metric(_MEAN_S, "seconds", _REQUESTS, _OF_REQUEST),
    "inference.duration_seconds": _Metric(_MEAN_S, "seconds", _MODELS, _OF_MODEL),
    "inference.time_to_first_token_seconds": _Metric(
        f"avg(TRY_CAST({_said(names.FIRST_CHUNK_S)} AS DOUBLE))",
        "seconds",
        f"{_MODELS} AND TRY_CAST({_said(names.FIRST_CHUNK_S)} AS DOUBLE) IS NOT NULL",
        _OF_MODEL,
    ),
    "tool_runtime.invocations_total": _Metric("count(*)", "calls", _TOOLS, _OF_TOOL),
    "tool_runtime.duration_seconds": _Metric(_MEAN_S, "seconds", _TOOLS, _OF_TOOL),
    "vector_io.queries_total": _Metric("count(*)", "searches", _SEARCHES, _OF_SEARCH),
    "vector_io.retrieval_duration_seconds": _Metric(_MEAN_S, "seconds", _SEARCHES, _OF_SEARCH),
}


def metrics(request: QueryMetricsRequest, *, owner: str | None, now: float) -> Asked:
    """now: seconds since 1970. Raises NotFound for a metric and RequestError for a label that there is not."""
    metric = _metric(request.metric_name)
    seen, parameters = seen_by(owner)
    end = now if request.end_time is None else request.end_time
    matched, values = _matched(metric, request.label_matchers)
    labels = ", ".join(f"{_text(sql)} AS {name}" for name, sql in metric.labels.items())
    step = int(request.granularity[:-1]) * _SECONDS[request.granularity[-1]]
    is_range = request.query_type == "range"
    at = "(floor(epoch(began) / ?) * ?)::BIGINT" if is_range else "?::BIGINT"
    sql = (
        f"SELECT {labels}, {at} AS at, {metric.value} AS value FROM spans "  # noqa: S608  # ours, and parameters
        f"WHERE {seen} AND {metric.where} AND began >= to_timestamp(?) AND began <= to_timestamp(?) AND {matched} "
        "GROUP BY ALL ORDER BY ALL"
    )
    shown = [step, step] if is_range else [int(end)]
    hint = "ask for a longer `granularity`, or for less time"
    return Asked(sql, [*shown, *parameters, request.start_time, end, *values], hint)


def series_of(request: QueryMetricsRequest, rows: Iterable[Mapping[str, Any]]) -> list[MetricSeries]:
    """rows: in the order of their labels, and then of time."""
    metric = _metric(request.metric_name)
    found: dict[tuple[str, ...], MetricSeries] = {}
    for row in rows:
        values = tuple(row[name] for name in metric.labels)
        if values not in found:
            labels = [MetricLabel(name=name, value=row[name]) for name in metric.labels]
            found[values] = MetricSeries(metric=request.metric_name, labels=labels, values=[])
        point = MetricDataPoint(timestamp=row["at"], value=float(row["value"]), unit=metric.unit)
        found[values].values.append(point)
    return list(found.values())


def _metric(name: str) -> _Metric:
    short = next((name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)), name)
    metric = _METRICS.get(short)
    if metric is None:
        raise NotFound(
            f"There is no metric `{name[:100]}`",
            hint=f"there are {', '.join(f'`{one}`' for one in _METRICS)}; `/metrics` has more, for Prometheus",
            param="metric_name",
        )
    return metric


def _matched(metric: _Metric, matchers: Iterable[MetricLabelMatcher]) -> tuple[str, list[str]]:
    parts, values = ["true"], []
    for one in matchers:
        if one.name not in metric.labels:
            raise RequestError(
                f"it has no label `{one.name[:100]}`",
                hint=f"it has {', '.join(f'`{name}`' for name in metric.labels)}",
                param="label_matchers",
            )
        parts.append(_COMPARED[one.operator].format(_text(metric.labels[one.name])))
        values.append(one.value)
    return " AND ".join(parts), values


def _text(sql: str) -> str:
    return f"coalesce(({sql})::VARCHAR, '')"
