"""Spans: what a request led to, what that took and how it ended. Cheap to begin and to end, and only while a trace is
recorded.

On its way a request only notes what is known there, in as few steps as can be: each is code that no processor has at
hand then, and costs many times of what it costs in a loop. What can be told later is told when spans are handed on,
many at once: see `Span.untold`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Literal, Protocol

import msgspec

from runtime.errors import StackError
from runtime.telemetry.sampling import Sampler
from runtime.telemetry.trace_context import Remote, new_span_id, new_trace_id, put_headers

Kind = Literal["server", "client", "internal"]
Attribute = str | bool | int | float | list[str]
_now = time.perf_counter
CANCELLED = "cancelled"
_LONGEST_ERROR = 100
"""Of a code, in characters: a vendor says what it likes."""


class SpanProcessor(Protocol):
    """Takes the spans that have ended. sampler: which traces are kept; None for all that their callers keep."""

    @property
    def sampler(self) -> Sampler | None: ...

    def on_end(self, span: Span) -> None: ...


class Trace(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What belongs to one request. id: 32 hex digits. state: W3C's `tracestate`, to be passed on. is_sampled: whether
    its spans are kept; they are counted in any case. request_id: of the request that it began with here. owner: who
    asked for that, None for a caller without a name.
    """

    processor: SpanProcessor
    id: str
    request_id: str
    state: str = ""
    is_sampled: bool = True
    owner: str | None = None


class Shape:
    """What many spans have in common, looked up and written once for all of them. It stays as it is, and is itself
    alone: two that say the same are two. None of its spans has failed.
    """

    __slots__ = ("attributes", "name")

    def __init__(self, name: str, attributes: Mapping[str, Attribute]) -> None:
        self.name = name
        self.attributes = attributes


class Span(msgspec.Struct, eq=False, gc=False):
    """One thing that took time. parent: what has led to it: a span, or the id of one that is not known here; None for
    nothing.

    began, ended: seconds of `time.perf_counter()`; ended is None while it goes on. error: why it failed, as a word of
    OpenTelemetry's `error.type`, empty if it did not. message: the same for people. untold: what has more to tell of
    it, with what follows the span in its arguments; None once it is told. own: its attributes, without those of its
    shape. shape: what it has in common with others; if it gets one, then when all else of it is told.
    """

    trace: Trace
    given_id: str
    parent: Span | str | None
    name: str
    kind: Kind
    own: dict[str, Attribute]
    began: float
    ended: float | None = None
    error: str = ""
    message: str = ""
    untold: tuple[Any, ...] | None = None
    shape: Shape | None = None

    @property
    def attributes(self) -> dict[str, Attribute]:
        """All that is told of it. As long as it has no shape, to be added to."""
        return self.own if self.shape is None else {**self.shape.attributes, **self.own}

    @property
    def id(self) -> str:
        """16 hex digits."""
        if not self.given_id:  # most are asked for when it is handed on
            self.given_id = new_span_id()
        return self.given_id

    @property
    def parent_id(self) -> str | None:
        """16 hex digits; None for a span that no other one has led to."""
        parent = self.parent
        return parent.id if isinstance(parent, Span) else parent

    def tell(self) -> None:
        """Complete its name and attributes. Those that it has by then stay."""
        if (untold := self.untold) is not None:
            self.untold = None
            untold[0](self, *untold[1:])

    def end(self) -> None:
        """The second call does nothing."""
        if self.ended is None:
            self.ended = _now()
            self.trace.processor.on_end(self)

    def note(self, name: str, attributes: dict[str, Attribute], began: float, ended: float) -> None:
        """Something that belongs to it and is over. began, ended: as of a span."""
        processor = self.trace.processor
        processor.on_end(Span(self.trace, "", self, name, "internal", attributes, began, ended))

    def fail(self, error: BaseException) -> None:
        """Note why it fails. Of an error that is not ours, nobody is told the words."""
        if isinstance(error, StackError):
            self.error = (error.code or type(error).__name__)[:_LONGEST_ERROR]
            self.message = error.kept_as or error.message
        elif isinstance(error, Exception):
            self.error = type(error).__name__
        else:  # the task is cancelled, or a generator is closed
            self.leave()

    def leave(self) -> None:
        """Note that nobody waits for its end any more, which is no failure of anybody's."""
        self.error, self.message = CANCELLED, "it was left before its end"

    def put_context(self, headers: dict[str, str]) -> None:
        """Add the headers by which another service goes on with it."""
        trace = self.trace
        put_headers(headers, trace.id, self.id, trace.is_sampled, trace.state)


_current: ContextVar[Span | None] = ContextVar("span", default=None)
current_span = _current.get
"""The span that what happens now belongs to; None where nothing is recorded."""
set_current, reset_current = _current.set, _current.reset
"""As `inside`, for what every chat passes. Whoever sets a span resets it."""


def begin_trace(
    processor: SpanProcessor,
    name: str,
    attributes: dict[str, Attribute],
    *,
    request_id: str,
    owner: str | None = None,
    caller: Remote | None = None,
    kind: Kind = "server",
) -> Span:
    """The first span of a request, which goes on with the trace of its caller if it has one."""
    sampler = processor.sampler
    if caller is None:
        trace_id = new_trace_id()
        is_sampled = sampler is None or sampler(trace_id, None)
        trace = Trace(processor, trace_id, request_id, "", is_sampled, owner)
        # Its id as Zipkin's: the root of a trace that begins here is its only one.
        return Span(trace, trace_id[16:], None, name, kind, attributes, _now())
    trace_id, parent_id, is_sampled, state = caller
    if sampler is not None:
        is_sampled = sampler(trace_id, caller)
    trace = Trace(processor, trace_id, request_id, state, is_sampled, owner)
    return Span(trace, "", parent_id, name, kind, attributes, _now())


def begin(name: str, attributes: dict[str, Attribute], kind: Kind = "internal") -> Span | None:
    """A span below the current one, which is to be ended; None where nothing is recorded."""
    parent = _current.get()
    if parent is None:
        return None
    return Span(parent.trace, "", parent, name, kind, attributes, _now())


class inside:  # used as a function
    """What happens in `with inside(span):` belongs to the span. It does not end it."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span | None) -> None:
        self._span = span

    def __enter__(self) -> Span | None:
        self._token = _current.set(self._span)
        return self._span

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


class during(inside):  # likewise
    """The same for a span that ends with what happens, and fails with it."""

    __slots__ = ()

    def __exit__(self, *raised: object) -> None:
        super().__exit__()
        if self._span is not None:
            if isinstance(error := raised[1], BaseException):
                self._span.fail(error)
            self._span.end()
