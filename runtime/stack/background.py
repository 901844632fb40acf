"""Work that goes on without a request: for whom it is done, what is known of the request that has led to it, and the
trace that tells of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import msgspec

from runtime.access import Caller
from runtime.context import RequestContext, current, serving
from runtime.ids import new_id
from runtime.storage.jobs import Postponed, RunningJob
from runtime.telemetry import conventions as names
from runtime.telemetry.pieces import Work, working
from runtime.telemetry.spans import Attribute, SpanProcessor, current_span, during
from runtime.telemetry.trace_context import Remote


class _Origin(msgspec.Struct, omit_defaults=True):
    """What is kept of a request with its job. process: the one that has answered it. trace_id, span_id, is_sampled,
    state: as `Remote` has them, of its span.
    """

    request_id: str
    process: str = ""
    trace_id: str = ""
    span_id: str = ""
    is_sampled: bool = True
    state: str = ""


class BackgroundWork:
    """The jobs of one stack. processor: None where nothing is recorded. nameless: for whom jobs are done that are
    nobody's.
    """

    def __init__(self, processor: Callable[[], SpanProcessor | None], nameless: Callable[[], Caller]) -> None:
        self._processor = processor
        self._nameless = nameless
        self._process = new_id("process_")

    def origin(self) -> dict[str, Any] | None:
        """What is kept with a job that is added now: the request that is served; in a job, the one that led to it."""
        if (led := _led_by.get()) is not None:
            return led
        context, span = current(), current_span()
        if not context.is_serving:
            return None
        origin = _Origin(context.request_id)
        if span is not None:
            trace = span.trace
            origin = _Origin(context.request_id, self._process, trace.id, span.id, trace.is_sampled, trace.state)
        kept: dict[str, Any] = msgspec.to_builtins(origin)
        return kept

    @contextlib.contextmanager
    def doing(self, running: RunningJob) -> Iterator[None]:
        """While entered, a job is done: for its owner, and so that its spans tell of it."""
        context = RequestContext(user=running.owner or self._nameless())
        led = _led_by.set(running.begun)
        try:
            with serving(context):
                work = self._work(running)
                if work is None:
                    yield
                elif running.traced == "in_pieces":
                    with working(work):
                        yield
                else:
                    with _doing_all(work.begin(f"job {running.kind}", {}, request_id=context.request_id)):
                        yield
        finally:
            _led_by.reset(led)

    def _work(self, running: RunningJob) -> Work | None:
        processor = self._processor()
        if processor is None:
            return None
        attributes: dict[str, Attribute] = {names.JOB_ID: running.id, names.JOB_KIND: running.kind}
        joined = None
        if running.begun is not None:
            origin = msgspec.convert(running.begun, _Origin)
            attributes[names.BEGUN_BY] = origin.request_id
            if running.traced == "joined" and origin.process == self._process:
                joined = Remote(origin.trace_id, origin.span_id, origin.is_sampled, origin.state)
        owner = None if running.owner is None else running.owner.principal
        return Work(processor, owner, attributes, joined)


class _doing_all(during):  # used as a function
    """A job in one piece. What it tries again later has not failed."""

    __slots__ = ()

    def __exit__(self, *raised: object) -> None:
        if isinstance(raised[1], Postponed):
            raised = (None, None, None)
        super().__exit__(*raised)


_led_by: ContextVar[dict[str, Any] | None] = ContextVar("led_by", default=None)
"""What is known of the request that has led to the job which is done."""
