"""Spans as they are kept: the tables `traces` and `shapes`, and the view `spans`, which shows a row for each span."""

from __future__ import annotations

import json

from runtime.storage.analytics.tables import AnalyticsColumn, AnalyticsTable
from runtime.telemetry import conventions as names

_MEMBERS = {
    "span_id": "VARCHAR",
    "parent_id": "VARCHAR",
    "name": "VARCHAR",
    "kind": "VARCHAR",
    "began": "DOUBLE",
    "seconds": "DOUBLE",
    "error": "VARCHAR",
    "message": "VARCHAR",
    "attributes": "JSON",
    "i": "VARCHAR",
    "p": "VARCHAR",
    "s": "BIGINT",
    "b": "BIGINT",
    "d": "BIGINT",
    "a": "JSON",
}
"""What may be said of a span; see `rows.py`. The short ones are of a span with a shape."""
_SHOWN = {
    "api": (names.API, "VARCHAR"),
    "operation": (names.API_OPERATION, "VARCHAR"),
    "provider_id": (names.PROVIDER_ID, "VARCHAR"),
    "model": (names.REQUEST_MODEL, "VARCHAR"),
    "input_tokens": (names.INPUT_TOKENS, "BIGINT"),
    "output_tokens": (names.OUTPUT_TOKENS, "BIGINT"),
    "cost_usd": (names.COST_USD, "DOUBLE"),
    "status": (names.STATUS, "INTEGER"),
    "refusal": (names.ERROR_MESSAGE, "VARCHAR"),
}
"""Attributes that have a column in the view: null where an application has told something else under the name."""


def _read(attributes: str, column: str) -> str:
    name, kind = _SHOWN[column]
    return f"TRY_CAST({attributes}->>'$.{json.dumps(name)}' AS {kind})"


_OF_SHAPES = ", ".join(f"{_read('attributes', column)} AS {column}" for column in _SHOWN)
_COLUMNS = ", ".join(f"coalesce({_read('own', column)}, shape.{column}) AS {column}" for column in _SHOWN)


def spans_in(traces: str) -> str:
    """The SELECT of the view `spans`, for some rows of the table alone: taking them apart is what costs time. traces:
    what stands behind `FROM`.
    """
    return f"""
SELECT trace_id, request_id, owner, coalesce(span.i, span.span_id) AS span_id,
coalesce(span.p, span.parent_id) AS parent_id, coalesce(span.name, shape.name) AS name,
coalesce(span.kind, shape.kind) AS kind,
coalesce(to_timestamp(span.began), row_began + to_microseconds(span.b)) AS began,
coalesce(span.seconds * 1000, span.d / 1e6) AS duration_ms, span.error, span.message,
{_COLUMNS},
CASE WHEN shape.id IS NULL THEN own WHEN own IS NULL THEN shape.attributes
ELSE json_merge_patch(shape.attributes, own) END AS attributes
FROM (SELECT *, coalesce(span.attributes, span.a) AS own FROM (SELECT trace_id, request_id, owner, began AS row_began,
unnest(from_json(spans, '{json.dumps([_MEMBERS])}')) AS span FROM {traces}))
LEFT JOIN (SELECT id, name, kind, attributes, {_OF_SHAPES} FROM (SELECT DISTINCT ON (id) * FROM shapes))
AS shape ON shape.id = span.s
"""  # noqa: S608  # ours


SHAPES = AnalyticsTable(
    name="shapes",
    columns=(
        AnalyticsColumn("id", "integer"),
        AnalyticsColumn("began", "time"),
        AnalyticsColumn("name", "text"),
        AnalyticsColumn("kind", "text"),
        AnalyticsColumn("attributes", "json"),
    ),
    dated_by="began",
)
"""What many spans have in common. began: when it was written; nothing that began a day later is of this shape. It ages
with the traces, and never by itself: without it they would say nothing.
"""
TRACES = AnalyticsTable(
    name="traces",
    columns=(
        AnalyticsColumn("began", "time"),
        AnalyticsColumn("trace_id", "text"),
        AnalyticsColumn("request_id", "text"),
        AnalyticsColumn("owner", "text"),
        AnalyticsColumn("spans", "text"),
    ),
    aged_by="began",
    views=(("spans", spans_in("traces")),),
    beside=(SHAPES,),
)
"""Some spans of one trace; a trace has several rows where its spans did not end together. spans: their JSON."""
