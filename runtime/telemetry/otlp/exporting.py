"""Where what happens goes besides the providers that keep it: what the environment asks for. See `settings.py`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from runtime.redaction import redact_text
from runtime.telemetry.batching import Exporter
from runtime.telemetry.otlp.readings import RegularReadings
from runtime.telemetry.otlp.sending import Outlet, QueuedLogs, QueuedSpans, Sender
from runtime.telemetry.otlp.settings import METRICS, Batching, Signal, Target, is_asked, read
from runtime.telemetry.sampling import Sampler

log = logging.getLogger(__name__)
GRPC_PACKAGE = "opentelemetry-exporter-otlp-proto-grpc"
_GRPC_MODULE = "opentelemetry.exporter.otlp.proto.grpc"
_BY_GRPC = "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"
_MODULES: Mapping[Signal, str] = {
    "traces": "runtime.telemetry.otlp.spans",
    "metrics": "runtime.telemetry.otlp.metrics",
    "logs": "runtime.telemetry.otlp.logs",
}


class Hides(Protocol):
    """Masks what is secret."""

    def without(self, value: Any) -> Any: ...

    def masked(self, record: logging.LogRecord) -> logging.LogRecord: ...


@dataclass(frozen=True, kw_only=True)
class Exporting:
    """exporters: of spans. sampler: which traces are kept; None for all that their callers keep. log_handler: for the
    log of a process that is ours alone, after the handler that notes the spans of its lines. metrics: for instruments.
    Both are None where none are sent.
    """

    exporters: tuple[Exporter, ...] = ()
    sampler: Sampler | None = None
    log_handler: logging.Handler | None = None
    metrics: RegularReadings | None = None


def exporting(env: Mapping[str, str], *, distribution: str, hidden: Hides) -> Exporting:
    """What OpenTelemetry's variables ask for; what is wrong with them is logged."""
    if not is_asked(env):
        return Exporting()
    settings = read(env)
    for warning in settings.warnings:
        log.warning(warning)
    targets = settings.targets
    if any(map(_is_by_grpc, targets)) and not _has_grpc():
        targets = [one for one in targets if not _is_by_grpc(one)]
        log.error(
            f"nothing is sent to a collector by gRPC: the package `{GRPC_PACKAGE}` is not there",
            extra={
                "hint": f"`{_BY_GRPC} llama stack build {distribution}` installs it, or `pip install {GRPC_PACKAGE}`"
            },
        )

    def senders(signal: Signal, batching: Batching, hide: Callable[[Any], Any]) -> list[Sender[Any]]:
        """One for each place. What the thread that sends calls first imports OpenTelemetry there."""
        found = [one for one in targets if one.signal == signal]
        return [
            Sender(signal, _place(one), partial(_load, _MODULES[signal], one, settings, distribution, hide), batching)
            for one in found
        ]

    logs, metrics = senders("logs", settings.logs, hidden.masked), senders("metrics", METRICS, hidden.without)
    return Exporting(
        exporters=tuple(QueuedSpans(sender) for sender in senders("traces", settings.spans, hidden.without)),
        sampler=settings.sampler,
        log_handler=QueuedLogs(logs) if logs else None,
        metrics=RegularReadings(metrics, settings.metric_every_s) if metrics else None,
    )


def _is_by_grpc(target: Target) -> bool:
    return target.kind == "otlp" and target.protocol == "grpc"


def _has_grpc() -> bool:
    """Whether the package is there, without importing it."""
    try:
        return find_spec(_GRPC_MODULE) is not None
    except ImportError:  # what it lies in is not there
        return False


def _place(target: Target) -> str:
    return redact_text(target.endpoint) if target.kind == "otlp" else "standard output"


def _load(module: str, *facts: Any) -> Outlet[Any]:
    made: Outlet[Any] = import_module(module).outlet(*facts)
    return made
