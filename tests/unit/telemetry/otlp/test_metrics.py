"""What is counted arrives at a collector, decoded with OpenTelemetry's own protobuf."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from runtime.server.masking import Hidden
from runtime.telemetry.otlp.exporting import exporting
from runtime.telemetry.otlp.readings import Kind
from tests.support.otlp_collector import collector, values_of

SECRET = "sk-very-secret"


@dataclass
class Series:
    labels: tuple[tuple[str, str], ...]
    value: float = 0.0
    counts: list[int] = field(default_factory=list)
    total: float = 0.0


@dataclass
class Counted:
    """An instrument, which says what it is told to."""

    name: str
    kind: Kind
    said: list[Series]
    unit: str = "s"
    description: str = "Something."
    bounds: tuple[float, ...] = ()

    def series(self) -> Iterable[Any]:
        return self.said


async def test_what_is_counted_arrives_again_and_again_and_at_the_end() -> None:
    requests = Counted("requests", "counter", [Series((("route", "/v1/models"), ("key", SECRET)), 3)])
    open_now = Counted("open", "gauge", [Series((), 2.5)])
    duration = Counted("duration", "histogram", [Series((), counts=[1, 0, 2], total=4.5)], bounds=(0.1, 1.0))
    with collector() as taking:
        env = {
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{taking.url}/v1/metrics",
            "OTEL_METRIC_EXPORT_INTERVAL": "20",
            "OTEL_SERVICE_NAME": "mine",
        }
        told = exporting(env, distribution="d", hidden=Hidden([SECRET]))
        assert told.metrics is not None and told.exporters == ()
        async with told.metrics.of(lambda: [requests, open_now, duration, Counted("nothing", "counter", [])]):
            await asyncio.to_thread(taking.until, lambda: len(taking.received) >= 2)
            requests.said[0].value = 4
        assert set(taking.metrics()) == {"requests", "open", "duration"}
        counter = taking.metrics()["requests"]
        [point] = counter.sum.data_points
        cumulative = 2
        assert (counter.unit, counter.description, counter.sum.is_monotonic) == ("s", "Something.", True)
        assert (counter.sum.aggregation_temporality, point.as_double or point.as_int) == (cumulative, 4)
        assert values_of(point.attributes) == {"route": "/v1/models", "key": "********"}
        assert 0 < point.start_time_unix_nano < point.time_unix_nano
        assert taking.metrics()["open"].gauge.data_points[0].as_double == 2.5
        [buckets] = taking.metrics()["duration"].histogram.data_points
        assert (list(buckets.bucket_counts), list(buckets.explicit_bounds)) == ([1, 0, 2], [0.1, 1.0])
        assert (buckets.count, buckets.sum, buckets.HasField("min")) == (3, 4.5, False)
        resource = values_of(taking.received[-1].resource_metrics[0].resource.attributes)
        assert (resource["service.name"], resource["llama_stack.distribution.name"]) == ("mine", "d")


async def test_where_nothing_is_counted_nothing_is_sent() -> None:
    with collector() as taking:
        env = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{taking.url}/v1/metrics"}
        told = exporting(env, distribution="d", hidden=Hidden())
        assert told.metrics is not None
        async with told.metrics.of(list):
            pass
        assert taking.asked == []
