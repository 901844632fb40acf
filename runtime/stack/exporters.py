"""Who is told what happens in a stack beside its providers of `telemetry`: what counts it, and collectors."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runtime.apis._api import Api
from runtime.config.metrics import metrics_wanted
from runtime.config.sections import MetricsConfig, TelemetryConfig
from runtime.telemetry.batching import Exporter
from runtime.telemetry.otlp.exporting import Exporting, Hides, exporting
from runtime.telemetry.sampling import Sampler

if TYPE_CHECKING:
    from runtime.telemetry.metrics.of_requests import Operations
    from runtime.telemetry.metrics.of_spans import SpanMetrics


@dataclass(frozen=True, kw_only=True)
class Exporters:
    """metrics: what is counted; None where nothing is. wanted: where it is to be read, besides what is sent elsewhere:
    None for nowhere. sent: what goes elsewhere.
    """

    metrics: SpanMetrics | None = None
    wanted: MetricsConfig | None = None
    sent: Exporting = field(default_factory=Exporting)

    @property
    def every(self) -> list[Exporter]:
        counts = [self.metrics] if self.metrics is not None else []
        return [*counts, *self.sent.exporters]

    @property
    def read(self) -> SpanMetrics | None:
        """What is counted, where it is to be read here."""
        return self.metrics if self.wanted is not None else None

    @property
    def sampler(self) -> Sampler | None:
        """Which traces are kept; None for all that their callers keep."""
        return self.sent.sampler

    @property
    def log_handler(self) -> logging.Handler | None:
        """For the log of a process that is ours alone; None where it is not sent."""
        return self.sent.log_handler

    @asynccontextmanager
    async def sending_metrics(self) -> AsyncIterator[None]:
        """While entered, what is counted is sent every so often, where that is wanted."""
        metrics = self.metrics
        if metrics is None or self.sent.metrics is None:
            yield
            return
        async with self.sent.metrics.of(lambda: metrics.instruments):
            yield


def exporters_of(
    section: TelemetryConfig,
    env: Mapping[str, str],
    apis: Iterable[Api],
    *,
    is_kept: bool,
    distribution: str,
    hidden: Hides,
) -> Exporters:
    """apis: those that are mounted. is_kept: whether there is a provider that keeps what happens. hidden: masks what is
    sent elsewhere. Raises ConfigInvalid for a variable of ours that is wrong.
    """
    if section.enabled is False:
        return Exporters()
    wanted = metrics_wanted(section, env, by_default=is_kept)
    sent = exporting(env, distribution=distribution, hidden=hidden)
    is_counted = wanted is not None or sent.metrics is not None
    return Exporters(metrics=_metrics(apis) if is_counted else None, wanted=wanted, sent=sent)


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
