"""Our spans as OpenTelemetry's SDK has them, given to its exporter."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from runtime.redaction import redact_text
from runtime.telemetry import conventions as names
from runtime.telemetry.otlp.attributes import sendable, within
from runtime.telemetry.otlp.official import Outgoing
from runtime.telemetry.otlp.resource import SERVICE, resource_of, scope_of
from runtime.telemetry.otlp.settings import Limits, Settings, Target
from runtime.telemetry.spans import Kind, Span

_KINDS: dict[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "internal": SpanKind.INTERNAL,
}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_UNSET = Status(StatusCode.UNSET)
_NS = 1_000_000_000


def outlet(
    target: Target, settings: Settings, distribution: str, without: Callable[[Any], Any]
) -> Outgoing[tuple[Span, float]]:
    """Sends spans, each with what makes seconds since 1970 of its seconds. without: masks what is secret in a value."""
    made = Made(resource_of(distribution, settings.service), settings.span_limits, without)
    return Outgoing(target, lambda spans: [made(span, offset_s) for span, offset_s in spans])


class Made:
    """What the official exporter takes."""

    def __init__(self, resource: Resource, limits: Limits, without: Callable[[Any], Any]) -> None:
        self._resource = resource
        self._scope = scope_of(SERVICE)
        self._limits = limits
        self._without = without

    def __call__(self, span: Span, offset_s: float) -> ReadableSpan:
        assert span.ended is not None
        trace_id, offset_ns = int(span.trace.id, 16), round(offset_s * _NS)
        attributes, status, parent = span.attributes, _UNSET, None
        if span.parent_id is not None:
            # A request's span is the first one here, so that another service has the one above it.
            parent = SpanContext(trace_id, int(span.parent_id, 16), span.kind == "server", _SAMPLED)
        if span.error:
            attributes = {**attributes, names.ERROR: span.error}
            status = Status(StatusCode.ERROR, sendable(redact_text(self._without(span.message))) or None)
        return ReadableSpan(
            sendable(self._without(span.name)),
            context=SpanContext(
                trace_id, int(span.id, 16), is_remote=False, trace_flags=_SAMPLED, trace_state=_state(span.trace.state)
            ),
            parent=parent,
            resource=self._resource,
            attributes=within(attributes, self._limits, self._without),
            kind=_KINDS[span.kind],
            status=status,
            start_time=round(span.began * _NS) + offset_ns,
            end_time=round(span.ended * _NS) + offset_ns,
            instrumentation_scope=self._scope,
        )


@lru_cache(maxsize=64)
def _state(header: str) -> TraceState | None:
    return TraceState.from_header([header]) if header else None
