"""Where what happens goes besides the providers that keep it: what the environment asks for. See `otlp/settings`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Protocol

from runtime.redaction import redact_text
from runtime.telemetry.batching import Exporter
from runtime.telemetry.otlp.sending import Outlet, QueuedLogs, QueuedSpans, Sender
from runtime.telemetry.otlp.settings import Settings, Target, is_asked, read
from runtime.telemetry.sampling import Sampler

log = logging.getLogger(__name__)


class Hides(Protocol):
    """Masks what is secret."""

    def without(self, value: Any) -> Any: ...

    def masked(self, record: logging.LogRecord) -> logging.LogRecord: ...


@dataclass(frozen=True, kw_only=True)
class Exporting:
    """exporters: of spans. sampler: which traces are kept; None for all that their callers keep. log_handler: for the
    log of a process that is ours alone, after the handler that notes the spans of its lines; None where none is sent.
    """

    exporters: tuple[Exporter, ...] = ()
    sampler: Sampler | None = None
    log_handler: logging.Handler | None = None


def exporting(env: Mapping[str, str], *, distribution: str, hidden: Hides) -> Exporting:
    """What OpenTelemetry's variables ask for; what is wrong with them is logged."""
    if not is_asked(env):
        return Exporting()
    settings = read(env)
    for warning in settings.warnings:
        log.warning(warning)
    spans = [
        QueuedSpans(
            Sender(
                "traces",
                _place(target),
                _outlet("spans", target, settings, distribution, hidden.without),
                settings.spans,
            )
        )
        for target in settings.of("traces")
    ]
    logs = [
        Sender[logging.LogRecord](
            "logs", _place(target), _outlet("logs", target, settings, distribution, hidden.masked), settings.logs
        )
        for target in settings.of("logs")
    ]
    return Exporting(exporters=tuple(spans), sampler=settings.sampler, log_handler=QueuedLogs(logs) if logs else None)


def _place(target: Target) -> str:
    return redact_text(target.endpoint) if target.kind == "otlp" else "standard output"


def _outlet(
    module: str, target: Target, settings: Settings, distribution: str, hide: Callable[[Any], Any]
) -> Callable[[], Outlet[Any]]:
    """What the thread that sends calls: it imports OpenTelemetry there, which takes half a second."""
    return partial(_load, f"runtime.telemetry.otlp.{module}", target, settings, distribution, hide)


def _load(module: str, *facts: Any) -> Outlet[Any]:
    made: Outlet[Any] = import_module(module).outlet(*facts)
    return made
