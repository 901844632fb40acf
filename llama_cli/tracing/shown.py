"""One trace, as a waterfall on a terminal, as a row a span in a pipe, or as a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from llama_cli.terminal import console
from llama_cli.tracing.money import cost_of, usd
from llama_cli.tracing.spans import Span, began, ended, fact, is_request, took_s
from llama_cli.tracing.times import local, took
from llama_cli.tracing.tree import placed
from llama_cli.tracing.waterfall import about, label, lines
from llama_cli.tracing.widths import screen
from runtime.telemetry import conventions as names


def document(spans: Sequence[Span]) -> dict[str, Any]:
    """All of it as JSON. A span's `after_s`: after the first one's beginning."""
    start = min(map(began, spans))
    return {
        "trace_id": spans[0]["trace_id"],
        "request_ids": [fact(span, names.REQUEST_ID) for span in spans if is_request(span)],
        "began_at": min(str(span["start_time"]) for span in spans),
        "duration_s": _rounded(max(map(ended, spans)) - start),
        "cost_usd": cost_of(spans),
        "spans": [_span(row.span, row.depth, start) for row in placed(spans) if row.span is not None],
    }


def draw(spans: Sequence[Span]) -> None:
    """The waterfall, below what it is of."""
    start, first = min(map(began, spans)), spans[0]
    requests = [str(fact(span, names.REQUEST_ID)) for span in spans if is_request(span)]
    console.title(str(first["name"]))
    amount = cost_of(spans)
    cost = "" if amount is None else f", cost {usd(amount)}"
    console.out(f"took {took(max(map(ended, spans)) - start)}, began at {local(first['start_time'])}{cost}")
    console.out(f"{', '.join(requests[:3])}{', ...' if requests[3:] else ''}" if requests else "no request is kept")
    console.out(f"trace {first['trace_id']}\n")
    for line in lines(spans, screen()):
        console.write(line + "\n")


def rows(spans: Sequence[Span]) -> Iterator[list[object]]:
    """For a program that reads line by line."""
    start = min(map(began, spans))
    for depth, span in placed(spans):
        if span is None:
            yield [depth, label(span), "", "", "", ""]
        else:
            times = (f"{(began(span) - start) * 1000:.3f}", f"{took_s(span) * 1000:.3f}")
            yield [depth, label(span), *times, span["status"], "; ".join(about(span))]


def _span(span: Span, depth: int, start: float) -> dict[str, Any]:
    return {
        "span_id": span["span_id"],
        "parent_span_id": span["parent_span_id"],
        "depth": depth,
        "name": span["name"],
        "kind": span["kind"],
        "began_at": span["start_time"],
        "after_s": _rounded(began(span) - start),
        "duration_s": _rounded(took_s(span)),
        "status": span["status"],
        "error": span["message"],
        "attributes": span["attributes"],
    }


def _rounded(seconds: float) -> float:
    """To what a span's times are exact to."""
    return round(seconds, 6)
