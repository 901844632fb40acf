"""Metrics as Prometheus reads them, in its own text or in OpenMetrics.

https://prometheus.io/docs/instrumenting/exposition_formats/ and https://prometheus.io/docs/specs/om/open_metrics_spec/;
what OpenTelemetry's names become: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/.

Written here and not by `prometheus_client`, which wants what it writes in objects of its own, one a line: that would be
as many lines as these, and ten times the work of each scrape.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from runtime.telemetry.metrics.instruments import Distribution, Histogram, Instrument, Series, Sum

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_UNITS = {"s": "seconds", "By": "bytes"}
_NOT_OF_NAMES = re.compile(r"[^a-zA-Z0-9_]")
_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_ESCAPED_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})


def wanted(accept: str) -> str:
    """The content type for an `Accept` header: OpenMetrics where that is asked for, and not as the lesser of both."""
    weights = {"": 0.0}
    for given in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in given.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        try:
            weights[kind] = max(weights.get(kind, 0.0), float(weight))
        except ValueError:
            continue
    is_open = weights.get("application/openmetrics-text", 0.0)
    return OPEN if is_open and is_open >= weights.get("text/plain", 0.0) else TEXT


async def exposition(instruments: Iterable[Instrument], content_type: str) -> bytes:
    """All of them. Others have their turn after each, of which there may be tens of thousands of lines."""
    parts: list[bytes] = []
    for instrument in instruments:
        lines = "".join(_lines(instrument, is_open=content_type == OPEN))
        parts.append(lines.encode(errors="replace"))
        await asyncio.sleep(0)
    if content_type == OPEN:
        parts.append(b"# EOF\n")
    return b"".join(parts)


def family(instrument: Instrument) -> tuple[str, str]:
    """What a metric is called, without what is put after it for each kind of sample; and its unit."""
    unit = _UNITS.get(instrument.unit, "ratio" if instrument.unit == "1" and instrument.kind == "gauge" else "")
    name = _NOT_OF_NAMES.sub("_", instrument.name)
    if instrument.kind == "counter":
        name = name.removesuffix("_total")
    return (name if not unit or name.endswith(f"_{unit}") else f"{name}_{unit}"), unit


def _lines(instrument: Instrument, *, is_open: bool) -> Iterator[str]:
    series: Sequence[Series] = tuple(instrument.series())
    if not series:
        return
    name, unit = family(instrument)
    sample = f"{name}_total" if instrument.kind == "counter" else name
    called, escaped = (name, _ESCAPED) if is_open else (sample, _ESCAPED_HELP)
    yield f"# HELP {called} {instrument.description.translate(escaped)}\n# TYPE {called} {instrument.kind}\n"
    if is_open and unit:
        yield f"# UNIT {called} {unit}\n"
    bounds = [repr(bound) for bound in instrument.bounds] if isinstance(instrument, Histogram) else []
    for one in series:
        labels = ",".join(f'{_label(key)}="{value.translate(_ESCAPED)}"' for key, value in one.labels)
        if isinstance(one, Distribution):
            yield from _buckets(name, labels, one, bounds)
        elif isinstance(one, Sum):
            yield f"{sample}{{{labels}}} {one.value}\n" if labels else f"{sample} {one.value}\n"


def _buckets(name: str, labels: str, series: Distribution, bounds: Sequence[str]) -> Iterator[str]:
    counts = list(accumulate(series.counts))
    before = f"{name}_bucket{{{labels}{',' if labels else ''}le="
    for bound, count in zip((*bounds, "+Inf"), counts, strict=True):
        yield f'{before}"{bound}"}} {count}\n'
    at = f"{{{labels}}}" if labels else ""
    yield f"{name}_sum{at} {series.total}\n{name}_count{at} {counts[-1]}\n"


def _label(name: str) -> str:
    return _NOT_OF_NAMES.sub("_", name)
