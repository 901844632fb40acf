"""The queries for traces and spans, and what their rows are for the API. Knows no driver."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from runtime.apis.telemetry.traces import QueryCondition, QuerySpansRequest, QueryTracesRequest, Span, Trace
from runtime.errors import RequestError
from runtime.providers.telemetry.builtin.tables import spans_in
from runtime.sse import encode

_REFUSED = 400
_COMPARED = {"eq": "=", "ne": "<>", "gt": ">", "lt": "<"}
_ORDERS = {"start_time": "began", "end_time": "ended", "duration": "lasted"}
_NEWEST = "-start_time"
_BY_BEGINNING: tuple[list[str], ...] = ([], [_NEWEST], ["start_time"])
_OWN = ("name", "error", "request_id", "trace_id")
"""What a span has that is no attribute."""
_COLUMNS = "trace_id, span_id, parent_id, name, kind, began, duration_ms, error, message, attributes"
_TRACES = """
SELECT trace_id, min(began) AS began, max(began + to_microseconds((duration_ms * 1000)::BIGINT)) AS ended,
max(began + to_microseconds((duration_ms * 1000)::BIGINT)) - min(began) AS lasted,
arg_min(span_id, began) AS root_span_id, arg_min(name, began) AS name, arg_min(request_id, began) AS request_id,
arg_min(coalesce(error, ''), began) AS error, count(*) AS span_count,
arg_min(status, began) FILTER (kind = 'server') AS http_status,
arg_min(refusal, began) FILTER (kind = 'server') AS refusal,
arg_min(model, began) FILTER (api = 'inference') AS asked_model,
TRY_CAST(sum(input_tokens) FILTER (api = 'inference') AS BIGINT) AS tokens_in,
TRY_CAST(sum(output_tokens) FILTER (api = 'inference') AS BIGINT) AS tokens_out,
sum(cost_usd) AS cost,
arg_min(coalesce(nullif(message, ''), error), began) FILTER (provider_id IS NOT NULL) AS first_failure,
arg_min(coalesce(nullif(message, ''), error), began)
FILTER (provider_id IS NOT NULL AND api IN ('inference', 'responses', 'agents') AND error <> 'cancelled') AS no_answer
FROM"""
"""Of a response, the tokens are those of its calls of models. no_answer: why a call failed that an answer depends on,
of which a stream's status says nothing; a tool that fails is an answer too.
"""
_PAGE = spans_in("traces WHERE began >= (SELECT min(first) FROM page) AND trace_id IN (SELECT trace_id FROM page)")
_FAILED = f"coalesce(http_status, 0) >= {_REFUSED} OR no_answer IS NOT NULL"

OLDEST_OF_SO_MANY = """
SELECT epoch(min(began)) - 1e-6 FROM traces GROUP BY trace_id ORDER BY min(began) DESC LIMIT 1 OFFSET ? - 1
"""
"""Just before the oldest of so many of the latest traces began; nothing while there are not so many."""


@dataclass(frozen=True)
class Asked:
    """A query. hint: what to ask for where it finds too much."""

    sql: str
    parameters: Sequence[Any]
    hint: str = "`POST /v1/telemetry/query` sums them up"


def traces(request: QueryTracesRequest, *, owner: str | None) -> Asked:
    """Raises RequestError for an order that is none."""
    if not request.attribute_filters and not request.failed and request.order_by in _BY_BEGINNING:
        return _page(request, owner=owner)
    (seen, owners), (recent, times) = seen_by(owner), _recent(request.since)
    where, values = _where(request.attribute_filters)
    whole = ["true"]  # what is told only by all of its spans
    whole += ["min(began) >= to_timestamp(?)"] if times else []
    whole += [f"({_FAILED})"] if request.failed else []
    ids, known = recent, times
    if values:
        ids, known = f"trace_id IN (SELECT trace_id FROM spans WHERE {seen} AND {recent} AND {where})", owners + times  # noqa: S608
    order = ", ".join(_order(one) for one in request.order_by) or "began DESC"
    grouped = f"GROUP BY trace_id HAVING {' AND '.join(whole)}"
    sql = f"{_TRACES} spans WHERE {seen} AND {ids} {grouped} ORDER BY {order}, trace_id LIMIT ? OFFSET ?"
    return Asked(sql, [*owners, *known, *values, *times, request.limit, request.offset])


def _page(request: QueryTracesRequest, *, owner: str | None) -> Asked:
    """The same where the rows of the table say which traces are wanted: only theirs are taken apart."""
    seen, owners = seen_by(owner)
    since = "true" if request.since is None else "min(began) >= to_timestamp(?)"
    way = _order(request.order_by[0] if request.order_by else _NEWEST).rpartition(" ")[2]
    page = f"""
WITH page AS MATERIALIZED (
SELECT trace_id, min(began) AS first FROM traces WHERE {seen} GROUP BY trace_id HAVING {since}
ORDER BY first {way}, trace_id LIMIT ? OFFSET ?)
"""  # noqa: S608  # ours
    sql = f"{page} {_TRACES} ({_PAGE}) WHERE {seen} GROUP BY trace_id ORDER BY began {way}, trace_id"
    times = [] if request.since is None else [request.since.timestamp()]
    return Asked(sql, [*owners, *times, request.limit, request.offset, *owners])


def trace(trace_id: str, *, owner: str | None) -> Asked:
    seen, parameters = seen_by(owner)
    return Asked(f"{_TRACES} spans WHERE {seen} AND trace_id = ? GROUP BY trace_id", [*parameters, trace_id])


def span(trace_id: str, span_id: str, *, owner: str | None) -> Asked:
    seen, parameters = seen_by(owner)
    sql = f"SELECT {_COLUMNS} FROM spans WHERE {seen} AND trace_id = ? AND span_id = ? LIMIT 1"  # noqa: S608
    return Asked(sql, [*parameters, trace_id, span_id])


def spans_of_traces(trace_ids: Collection[str], *, owner: str | None) -> Asked:
    seen, parameters = seen_by(owner)
    sql = f"SELECT {_COLUMNS} FROM spans WHERE {seen} AND list_contains(?, trace_id) ORDER BY began"  # noqa: S608
    return Asked(sql, [*parameters, [*trace_ids]], hint="ask for a smaller `limit`, or without `max_depth`")


def spans_beside(span_id: str, *, owner: str | None) -> Asked:
    """The spans of each trace that has a span of this id: applications may call theirs as they like."""
    seen, parameters = seen_by(owner)
    # The text of a row is looked into first: taking it apart is what costs time.
    traces_with = "SELECT trace_id FROM traces WHERE contains(spans, ?)"
    sql = f"SELECT {_COLUMNS} FROM spans WHERE {seen} AND trace_id IN ({traces_with}) ORDER BY began"  # noqa: S608
    return Asked(sql, [*parameters, encode(span_id).decode()])


def spans(request: QuerySpansRequest, *, owner: str | None) -> Asked:
    seen, parameters = seen_by(owner)
    where, values = _where(request.attribute_filters)
    sql = f"SELECT {_COLUMNS} FROM spans WHERE {seen} AND {where} ORDER BY began LIMIT ?"  # noqa: S608
    return Asked(sql, [*parameters, *values, request.limit])


Place = tuple[str, str | None]
"""A trace and a span of it."""


def place_of(row: Mapping[str, Any]) -> Place:
    return row["trace_id"], row["span_id"]


def below(rows: Iterable[Mapping[str, Any]], ids: Iterable[Place], depth: int | None) -> dict[Place, Mapping[str, Any]]:
    """Those of some spans, and what lies below them. depth: how many levels; None for all."""
    by_id = {place_of(row): row for row in rows}
    children: dict[Place, list[Place]] = defaultdict(list)
    for id, row in by_id.items():
        children[row["trace_id"], row["parent_id"]].append(id)
    found: dict[Place, Mapping[str, Any]] = {}
    level, left = [id for id in ids if id in by_id], math.inf if depth is None else depth
    while level:
        found |= {id: by_id[id] for id in level if id not in found}
        level = [child for id in level for child in children[id] if child not in found] if left > 0 else []
        left -= 1
    return found


def trace_of(row: Mapping[str, Any]) -> Trace:
    is_refused = (row["http_status"] or 0) >= _REFUSED
    return Trace(
        trace_id=row["trace_id"],
        root_span_id=row["root_span_id"],
        start_time=row["began"],
        end_time=row["ended"],
        request_id=row["request_id"],
        name=row["name"],
        status="error" if row["error"] else "ok",
        http_status=row["http_status"],
        model=row["asked_model"],
        input_tokens=row["tokens_in"],
        output_tokens=row["tokens_out"],
        cost_usd=None if row["cost"] is None else round(row["cost"], 12),
        message=row["no_answer"] or (row["refusal"] or row["first_failure"] if is_refused else None),
        span_count=row["span_count"],
    )


def span_of(row: Mapping[str, Any], wanted: Collection[str] | None = None) -> Span:
    """wanted: the attributes to have; None for all."""
    attributes = json.loads(row["attributes"] or "{}")
    if wanted:
        attributes = {name: value for name, value in attributes.items() if name in wanted}
    began: datetime = row["began"]
    return Span(
        span_id=row["span_id"],
        trace_id=row["trace_id"],
        parent_span_id=row["parent_id"],
        name=row["name"],
        start_time=began,
        end_time=datetime.fromtimestamp(began.timestamp() + row["duration_ms"] / 1000, began.tzinfo),
        attributes=attributes,
        status="error" if row["error"] else "ok",
        kind=row["kind"],
        message=row["message"] or row["error"],
    )


def exported(span: Span, attributes: Collection[str]) -> dict[str, Any]:
    """A row of a dataset. attributes: of the span, which become columns; one that it has not hides no fact of it."""
    facts = span.model_dump(mode="json", exclude={"attributes"})
    return (
        dict.fromkeys(attributes)
        | facts
        | {name: span.attributes[name] for name in attributes if name in span.attributes}
    )


def json_of(value: Any) -> Any:
    """A value of a query as JSON has it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {str(name): json_of(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_of(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def seen_by(owner: str | None) -> tuple[str, list[Any]]:
    """Which rows a caller sees, in SQL, with its parameters. owner: None for one who sees all of them."""
    return ("true", []) if owner is None else ("(owner IS NULL OR owner = ?)", [owner])


def _recent(since: datetime | None) -> tuple[str, list[Any]]:
    """Of the traces that have kept something since, which is cheap to tell: no text is taken apart."""
    if since is None:
        return "true", []
    return "trace_id IN (SELECT trace_id FROM traces WHERE began >= to_timestamp(?))", [since.timestamp()]


def _where(conditions: Iterable[QueryCondition]) -> tuple[str, list[Any]]:
    parts = ["true"]
    values: list[Any] = []
    for one in conditions:
        if one.key in _OWN:
            parts.append(_comparison(f"coalesce({one.key}, '')", one.op))
            values.append(_text(one.value))
            continue
        read = "json_extract_string(attributes, ?)"
        values.append("/" + one.key.replace("~", "~0").replace("/", "~1"))  # RFC 6901: any name has one
        if one.op != "starts_with" and isinstance(one.value, int | float) and not isinstance(one.value, bool):
            there = f"try_cast({read} AS DOUBLE)"  # null for what is no number, which equals none
            parts.append(f"{there} IS DISTINCT FROM ?" if one.op == "ne" else _comparison(there, one.op))
            values.append(_double(one.value))
        else:
            there = f"coalesce({read}, '')" if one.op == "ne" else read  # what is not there is not equal either
            parts.append(_comparison(there, one.op))
            values.append(_text(one.value))
    return " AND ".join(parts), values


def _comparison(what: str, op: str) -> str:
    return f"starts_with({what}, ?)" if op == "starts_with" else f"{what} {_COMPARED[op]} ?"


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer that is beyond all that there are
        return math.copysign(math.inf, 1 if value > 0 else -1)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _order(name: str) -> str:
    column = _ORDERS.get(name.lstrip("-"))
    if column is None:
        raise RequestError(
            f"`{name[:100]}` is no order", hint=f"by {', '.join(f'`{one}`' for one in _ORDERS)}", param="order_by"
        )
    return f"{column} {'DESC' if name.startswith('-') else 'ASC'}"
