"""Which traces are kept: OpenTelemetry's samplers, for requests that come without a trace and for those that bring one.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runtime.telemetry.trace_context import Remote

Sampler = Callable[[str, Remote | None], bool]
"""Of a trace's id (32 hex digits) and the caller's span, if any: whether its spans are kept. None in place of one means
that each is kept, unless the caller has said otherwise.
"""
_BITS = 64
"""Of a trace's id, those that a ratio is drawn by: the last ones, as every SDK of OpenTelemetry does it, so that two
services which keep a tenth keep the same tenth.
"""


def by_ratio(ratio: float) -> Sampler:
    """Keeps this part of all traces, 0 to 1."""
    bound = round(ratio * (1 << _BITS))
    return lambda trace_id, caller: int(trace_id[-_BITS // 4 :], 16) < bound


def by_caller(root: Sampler) -> Sampler:
    """Does as the caller does, and asks another sampler about traces that begin here."""
    return lambda trace_id, caller: root(trace_id, None) if caller is None else caller.is_sampled


def _always(trace_id: str, caller: Remote | None) -> bool:
    return True


def _never(trace_id: str, caller: Remote | None) -> bool:
    return False


USUAL = "parentbased_always_on"
BY_RATIO = "traceidratio", "parentbased_traceidratio"
SAMPLERS: Mapping[str, Callable[[float], Sampler | None]] = {
    "always_on": lambda _: _always,
    "always_off": lambda _: _never,
    "traceidratio": by_ratio,
    USUAL: lambda _: None,
    "parentbased_always_off": lambda _: by_caller(_never),
    "parentbased_traceidratio": lambda ratio: by_caller(by_ratio(ratio)),
}
"""By the name that `OTEL_TRACES_SAMPLER` gives them; each is made of a ratio, which most of them do not look at."""
