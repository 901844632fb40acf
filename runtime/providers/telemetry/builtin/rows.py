"""Spans as they are kept: the table `traces`, and how its rows are made. The view `spans` shows them, a row each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from runtime.providers.telemetry.builtin.events import Ended
from runtime.redaction import redact_text
from runtime.sse import encode
from runtime.storage.analytics.tables import AnalyticsColumn, AnalyticsTable
from runtime.telemetry import conventions as names
from runtime.telemetry.spans import Attribute, Span

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
}
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
_COLUMNS = ", ".join(
    f"TRY_CAST(span.attributes->>'$.{json.dumps(name)}' AS {kind}) AS {column}"
    for column, (name, kind) in _SHOWN.items()
)


def spans_in(traces: str) -> str:
    """The SELECT of the view `spans`, for some rows of the table alone: taking them apart is what costs time. traces:
    what stands behind `FROM`.
    """
    return f"""
SELECT trace_id, request_id, owner, span.span_id, span.parent_id, span.name, span.kind,
to_timestamp(span.began) AS began, span.seconds * 1000 AS duration_ms, span.error, span.message,
{_COLUMNS},
span.attributes
FROM (SELECT trace_id, request_id, owner, unnest(from_json(spans, '{json.dumps([_MEMBERS])}')) AS span FROM {traces})
"""  # noqa: S608  # ours


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
)
"""Some spans of one trace; a trace has several rows where its spans did not end together. spans: their JSON."""


class _Kept(msgspec.Struct, omit_defaults=True):
    """A span as it is kept; see the view. began: seconds since 1970."""

    span_id: str
    parent_id: str | None
    name: str
    kind: str
    began: float
    seconds: float
    attributes: dict[str, Attribute]
    error: str | None = None
    message: str | None = None


def columns_of(spans: Iterable[Span], offset_s: float, without_secrets: Callable[[str], str]) -> dict[str, list[Any]]:
    """The values of each column of the rows for spans that have ended, a row for each trace; without those of traces
    that are not sampled.
    """
    by_trace: dict[str, list[Span]] = {}
    for span in spans:
        if span.trace.is_sampled:
            by_trace.setdefault(span.trace.id, []).append(span)
    traces = [some[0].trace for some in by_trace.values()]
    return {
        "began": [min(span.began for span in some) + offset_s for some in by_trace.values()],
        "trace_id": [*by_trace],
        "request_id": [without_secrets(trace.request_id) for trace in traces],
        "owner": [trace.owner for trace in traces],
        "spans": [without_secrets(_text([_kept(span, offset_s) for span in some])) for some in by_trace.values()],
    }


def row_of_told(span: Ended, owner: str | None, now: float) -> dict[str, Any]:
    """The row of a span that an application has told of. now: seconds since 1970; a row ages from then on, whatever the
    application's clock says.
    """
    kept = _Kept(
        span.span_id, span.parent_id, span.name, "internal", span.began, span.ended - span.began, {**span.attributes}
    )
    if span.is_error:
        kept.error = "error"
    began = min(span.began, now)
    return {"began": began, "trace_id": span.trace_id, "owner": owner, "spans": _text([kept])}


def _text(spans: list[_Kept]) -> str:
    try:
        return encode(spans).decode()
    except UnicodeEncodeError:  # half a surrogate pair, as in the name of a file: it would cost all that are handed on
        return encode(_whole(msgspec.to_builtins(spans))).decode()


def _whole(value: Any) -> Any:
    """The same with `?` for half a surrogate pair."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_whole(name): _whole(inner) for name, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list) else value


def _kept(span: Span, offset_s: float) -> _Kept:
    assert span.ended is not None
    kept = _Kept(
        span.id, span.parent_id, span.name, span.kind, span.began + offset_s, span.ended - span.began, span.attributes
    )
    if span.error:
        kept.error, kept.message = span.error, redact_text(span.message)
    return kept
