"""Attributes as they are sent: without secrets, within OpenTelemetry's limits, and such as protobuf can have.

https://opentelemetry.io/docs/specs/otel/common/#attribute-limits
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from opentelemetry.attributes import BoundedAttributes

from runtime.telemetry.otlp.settings import Limits

_END_OF_INTEGERS = 1 << 63


def within(attributes: Mapping[str, Any], limits: Limits, without: Callable[[Any], Any]) -> Mapping[str, Any]:
    """without: masks what is secret in a value. Of too many, some are left out, and the exporter counts those."""
    shown = {name: _fitting(without(value), limits.length) for name, value in attributes.items() if value is not None}
    return shown if len(shown) <= limits.most else BoundedAttributes(limits.most, shown)


def sendable(text: str) -> str:
    """As UTF-8 can have it: half a surrogate pair, as in the name of a file, would cost all that is sent with it."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _fitting(value: Any, length: int) -> Any:
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -_END_OF_INTEGERS <= value < _END_OF_INTEGERS else hex(value)[:length]
    if isinstance(value, str):
        return sendable(value[:length])
    if isinstance(value, Mapping):
        return {name: _fitting(inner, length) for name, inner in value.items()}
    return [_fitting(inner, length) for inner in value] if isinstance(value, Iterable) else value
