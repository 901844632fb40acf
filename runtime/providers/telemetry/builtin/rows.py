"""How rows of the table `traces` are made of spans; the tables themselves are in `tables.py`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from math import floor
from typing import Any

import msgspec

from runtime.providers.telemetry.builtin.events import Ended
from runtime.providers.telemetry.builtin.shapes import Shapes
from runtime.providers.telemetry.builtin.texts import masked_lines, text_of
from runtime.redaction import redact_text
from runtime.telemetry.spans import Attribute, Span, Trace

IN_LINES = ("request_id", "spans")
"""Columns with a value on each line of a text: handing over a list of texts costs more than making them."""
_encode_lines = msgspec.json.Encoder().encode_lines


class _Whole(msgspec.Struct, omit_defaults=True, gc=False):
    """A span as it is kept where it has no shape; see the view. began: seconds since 1970."""

    span_id: str
    parent_id: str | None
    name: str
    kind: str
    began: float
    seconds: float
    attributes: dict[str, Attribute]
    error: str | None = None
    message: str | None = None


class _Shaped(msgspec.Struct, omit_defaults=True, gc=False):
    """The same of one that has a shape. A server writes many: what each has is short, and cheap to make.

    i: its id. s: of its shape. b: microseconds since its row began. d: how many nanoseconds it took. p: the id of its
    parent. a: its own attributes.
    """

    i: str
    s: int
    b: int
    d: int
    p: str | None = None
    a: dict[str, Attribute] = {}


def columns_of(
    spans: Iterable[Span], offset_s: float, shapes: Shapes, without_secrets: Callable[[str], str] = str
) -> dict[str, list[Any]]:
    """The values of each column of the rows for spans that have ended, a row for each trace; without those of traces
    that are not sampled. Of `IN_LINES`, all of a column are one text.
    """
    by_trace: defaultdict[Trace, list[Span]] = defaultdict(list)
    for span in spans:
        by_trace[span.trace].append(span)
    began, trace_ids, request_ids, owners, rows = [], [], [], [], []
    for trace, some in by_trace.items():
        if not trace.is_sampled:
            continue
        first = some[-1].began
        for span in some:
            if span.began < first:
                first = span.began
        began.append(first + offset_s)
        trace_ids.append(trace.id)
        request_ids.append(trace.request_id)
        owners.append(trace.owner)
        row: list[_Whole | _Shaped] = []
        for span in some:
            shape = span.shape
            if shape is not None and (id := shapes.get(shape) or shapes.add(shape, span.kind)):
                at = span.began
                b, d = floor((at - first) * 1e6), floor((span.ended - at) * 1e9)  # type: ignore[operator]  # it has ended
                parent = span.parent
                if type(parent) is Span:
                    parent = parent.given_id or parent.id
                row.append(_Shaped(span.given_id or span.id, id, b, d, parent, span.own))  # type: ignore[arg-type]
            else:
                row.append(_whole(span, offset_s))
        rows.append(row)
    return {
        "began": began,
        "trace_id": trace_ids,
        "request_id": [without_secrets(_joined(request_ids))],
        "owner": owners,
        "spans": [masked_lines(_lines(rows), without_secrets)],
    }


def row_of_told(span: Ended, owner: str | None, now: float) -> dict[str, Any]:
    """The row of a span that an application has told of. now: seconds since 1970; a row ages from then on, whatever the
    application's clock says.
    """
    kept = _Whole(
        span.span_id, span.parent_id, span.name, "internal", span.began, span.ended - span.began, {**span.attributes}
    )
    if span.is_error:
        kept.error = "error"
    began = min(span.began, now)
    return {"began": began, "trace_id": span.trace_id, "owner": owner, "spans": text_of([kept])}


def _joined(ids: list[str]) -> str:
    """Each on a line of its own: one that has several, as no server takes it, gets blanks instead."""
    joined = "\n".join(ids)
    return joined if joined.count("\n") < len(ids) else "\n".join(id.replace("\n", " ") for id in ids)


def _lines(rows: list[list[_Whole | _Shaped]]) -> str:
    """Each row as JSON, on a line of its own."""
    try:
        return _encode_lines(rows).decode()[:-1]
    except UnicodeEncodeError:
        return "\n".join(map(text_of, rows))


def _whole(span: Span, offset_s: float) -> _Whole:
    assert span.ended is not None
    kept = _Whole(
        span.id, span.parent_id, span.name, span.kind, span.began + offset_s, span.ended - span.began, span.attributes
    )
    if span.error:
        kept.error, kept.message = span.error, redact_text(span.message)
    return kept
