"""Who is told what happens in a stack, beside its providers of `telemetry`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.apis._api import Api
from runtime.config.metrics import metrics_wanted
from runtime.config.sections import MetricsConfig, TelemetryConfig
from runtime.telemetry.batching import Exporter

if TYPE_CHECKING:
    from runtime.telemetry.metrics.of_requests import Operations
    from runtime.telemetry.metrics.of_spans import SpanMetrics


@dataclass(frozen=True)
class Exporters:
    """metrics: what is counted, to be read; None where nothing is. wanted: where it is read."""

    metrics: SpanMetrics | None = None
    wanted: MetricsConfig | None = None

    @property
    def every(self) -> list[Exporter]:
        return [one for one in (self.metrics,) if one is not None]


def exporters_of(section: TelemetryConfig, env: Mapping[str, str], apis: Iterable[Api], *, is_kept: bool) -> Exporters:
    """apis: those that are mounted. is_kept: whether there is a provider that keeps what happens. Raises ConfigInvalid
    for a variable that is wrong.
    """
    if section.enabled is False:
        return Exporters()
    wanted = metrics_wanted(section, env, by_default=is_kept)
    return Exporters(metrics=_metrics(apis) if wanted is not None else None, wanted=wanted)


def _metrics(apis: Iterable[Api]) -> SpanMetrics:
    from runtime.telemetry.metrics.of_spans import SpanMetrics  # not above: most programs count nothing

    def operations() -> Operations:
        return {
            (method, path): (api.name, operation.name)
            for api in apis
            for operation in api.operations()
            for method, path, _ in operation.route.mounts()
        }

    return SpanMetrics(operations)
