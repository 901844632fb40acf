"""What is counted, as OpenTelemetry's SDK has it, given to its exporter: all of it since the start, each time.

https://opentelemetry.io/docs/specs/otel/metrics/data-model/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource

from runtime.telemetry.otlp.official import Outgoing
from runtime.telemetry.otlp.readings import Reading, Snapshot
from runtime.telemetry.otlp.resource import SERVICE, resource_of, scope_of
from runtime.telemetry.otlp.settings import Settings, Target

_NS = 1_000_000_000
_SINCE_THE_START = AggregationTemporality.CUMULATIVE


def outlet(target: Target, settings: Settings, distribution: str, without: Callable[[Any], Any]) -> Outgoing[Snapshot]:
    """Sends snapshots, one at a time. without: masks what is secret in a value."""
    made = Made(resource_of(distribution, settings.service), without)
    return Outgoing(target, lambda snapshots: made(snapshots[-1]))


class Made:
    """What the official exporter takes."""

    def __init__(self, resource: Resource, without: Callable[[Any], Any]) -> None:
        self._resource = resource
        self._without = without

    def __call__(self, snapshot: Snapshot) -> MetricsData:
        start, now = round(snapshot.began * _NS), round(snapshot.taken * _NS)
        metrics = [
            Metric(one.name, one.description, one.unit, self._data(one, start, now)) for one in snapshot.readings
        ]
        scope = ScopeMetrics(scope_of(SERVICE), metrics, "")
        return MetricsData([ResourceMetrics(self._resource, [scope], "")])

    def _data(self, reading: Reading, start: int, now: int) -> Sum | Gauge | Histogram:
        if reading.kind == "histogram":
            return Histogram([self._distribution(reading, one, start, now) for one in reading.series], _SINCE_THE_START)
        points = [NumberDataPoint(self._attributes(labels), start, now, value) for labels, value in reading.series]
        return Gauge(points) if reading.kind == "gauge" else Sum(points, _SINCE_THE_START, is_monotonic=True)

    def _distribution(self, reading: Reading, series: tuple[Any, ...], start: int, now: int) -> HistogramDataPoint:
        labels, counts, total = series
        unknown: Any = None  # the smallest and the greatest value, which are optional on the wire
        attributes = self._attributes(labels)
        return HistogramDataPoint(
            attributes, start, now, sum(counts), total, counts, reading.bounds, min=unknown, max=unknown
        )

    def _attributes(self, labels: Sequence[tuple[str, str]]) -> dict[str, Any]:
        return {name: self._without(value) for name, value in labels}
