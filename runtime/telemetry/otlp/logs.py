"""Lines of our log as OpenTelemetry's SDK has them, given to its exporter, each with the span that it belongs to.

https://opentelemetry.io/docs/specs/otel/logs/data-model/
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from runtime.clock import machine_time
from runtime.telemetry import conventions as names
from runtime.telemetry.log_fields import fields
from runtime.telemetry.otlp.attributes import sendable, within
from runtime.telemetry.otlp.official import Outgoing
from runtime.telemetry.otlp.resource import resource_of, scope_of
from runtime.telemetry.otlp.settings import Limits, Settings, Target

_NOWHERE = Context()
_NS = 1_000_000_000
_scope = lru_cache(maxsize=1000)(scope_of)
Masked = Callable[[logging.LogRecord], logging.LogRecord]


def outlet(target: Target, settings: Settings, distribution: str, masked: Masked) -> Outgoing[logging.LogRecord]:
    """Sends log records. masked: a record without secrets, its message formatted."""
    made = Made(resource_of(distribution, settings.service), settings.log_limits, masked)
    return Outgoing(target, lambda records: [made(record) for record in records])


class Made:
    """What the official exporter takes."""

    def __init__(self, resource: Resource, limits: Limits, masked: Masked) -> None:
        self._resource = resource
        self._limits = limits
        self._masked = masked

    def __call__(self, record: logging.LogRecord) -> ReadableLogRecord:
        shown = self._masked(record)
        attributes = fields(shown)
        if (request_id := getattr(shown, "request_id", None)) is not None:
            attributes[names.REQUEST_ID] = request_id
        if record.exc_info and record.exc_info[0] is not None:
            attributes[names.EXCEPTION_TYPE] = record.exc_info[0].__qualname__
        if shown.exc_text:
            attributes[names.STACKTRACE] = shown.exc_text
        made = LogRecord(
            timestamp=round(record.created * _NS),
            observed_timestamp=round(machine_time() * _NS),
            context=_context(record),
            severity_text=record.levelname,
            severity_number=_severity(record.levelno),
            body=sendable(shown.getMessage()),
            attributes=within(attributes, self._limits, _as_it_is),
        )
        return ReadableLogRecord(made, self._resource, _scope(record.name))


def _as_it_is(value: Any) -> Any:
    """What is secret is masked already."""
    return value


def _context(record: logging.LogRecord) -> Context:
    """The span that a record belongs to; empty, and not this thread's, where it belongs to none."""
    trace_id, span_id = getattr(record, "trace_id", None), getattr(record, "span_id", None)
    if trace_id is None or span_id is None:
        return _NOWHERE
    span = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(span), _NOWHERE)


def _severity(level: int) -> SeverityNumber:
    """As the specification maps Python's levels: `DEBUG` is 5, `CRITICAL` is 21."""
    if level >= logging.CRITICAL:
        return SeverityNumber.FATAL
    if level >= logging.ERROR:
        return SeverityNumber.ERROR
    if level >= logging.WARNING:
        return SeverityNumber.WARN
    return SeverityNumber.INFO if level >= logging.INFO else SeverityNumber.DEBUG
