"""The samplers keep what those of OpenTelemetry's SDK keep."""

from __future__ import annotations

import random

import pytest
from opentelemetry.sdk.trace import sampling as official
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context

from runtime.telemetry.sampling import SAMPLERS
from runtime.telemetry.spans import begin_trace
from runtime.telemetry.trace_context import Remote
from tests.unit.telemetry._seen import Seen

THEIRS = {
    "always_on": lambda _: official.ALWAYS_ON,
    "always_off": lambda _: official.ALWAYS_OFF,
    "traceidratio": official.TraceIdRatioBased,
    "parentbased_always_on": lambda _: official.DEFAULT_ON,
    "parentbased_always_off": lambda _: official.DEFAULT_OFF,
    "parentbased_traceidratio": official.ParentBasedTraceIdRatio,
}


def theirs_keep(sampler: official.Sampler, trace_id: int, caller: Remote | None) -> bool:
    context = None
    if caller is not None:
        flags = TraceFlags(TraceFlags.SAMPLED if caller.is_sampled else TraceFlags.DEFAULT)
        context = set_span_in_context(NonRecordingSpan(SpanContext(trace_id, 1, is_remote=True, trace_flags=flags)))
    decided = sampler.should_sample(context, trace_id, "a", SpanKind.SERVER, {}, ())
    return decided.decision.is_sampled()


def test_there_are_all_that_need_no_service() -> None:
    assert set(SAMPLERS) == set(THEIRS)


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("name", THEIRS)
def test_the_same_traces_are_kept_as_by_the_sdk(name: str, ratio: float) -> None:
    ours, theirs, draws = SAMPLERS[name](ratio), THEIRS[name](ratio), random.Random(1)
    for _ in range(200):
        trace_id = f"{draws.getrandbits(128) or 1:032x}"
        for caller in (None, Remote(trace_id, "0" * 15 + "1", True), Remote(trace_id, "0" * 15 + "1", False)):
            usual = caller is None or caller.is_sampled
            kept = usual if ours is None else ours(trace_id, caller)
            assert kept == theirs_keep(theirs, int(trace_id, 16), caller)


def test_a_trace_is_kept_as_its_sampler_says() -> None:
    sampled = Remote("ab" * 16, "cd" * 8, True, "a=b")
    for name, alone, below in (("always_off", False, False), ("parentbased_always_off", False, True)):
        seen = Seen(sampler=SAMPLERS[name](1.0))
        assert begin_trace(seen, "a", {}, request_id="r").trace.is_sampled is alone
        trace = begin_trace(seen, "a", {}, request_id="r", caller=sampled).trace
        assert (trace.is_sampled, trace.id, trace.state) == (below, "ab" * 16, "a=b")
