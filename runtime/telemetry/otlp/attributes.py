"""Attributes as they are sent: without secrets, and within OpenTelemetry's limits.

https://opentelemetry.io/docs/specs/otel/common/#attribute-limits
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from opentelemetry.attributes import BoundedAttributes

from runtime.telemetry.otlp.settings import ENDLESS, Limits


def within(attributes: Mapping[str, Any], limits: Limits, without: Callable[[Any], Any]) -> Mapping[str, Any]:
    """without: masks what is secret in a value. Of too many, some are left out, and the exporter counts those."""
    shown = {name: _cut(without(value), limits.length) for name, value in attributes.items() if value is not None}
    return shown if len(shown) <= limits.most else BoundedAttributes(limits.most, shown)


def _cut(value: Any, length: int) -> Any:
    if length == ENDLESS or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value[:length]
    if isinstance(value, Mapping):
        return {name: _cut(inner, length) for name, inner in value.items()}
    return [_cut(inner, length) for inner in value] if isinstance(value, Iterable) else value
