"""Work that no request waits for: jobs. Each piece of it begins a trace of its own, which says whose job it belongs to
and which request has led to it; or it goes on with the trace of that request.
"""

from __future__ import annotations

from contextvars import ContextVar

import msgspec

from runtime.ids import new_id
from runtime.telemetry import conventions as names
from runtime.telemetry.spans import Attribute, Span, SpanProcessor, begin_trace, during
from runtime.telemetry.trace_context import Remote


class Work(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A job that is done now. owner: whose it is, None for a caller without a name. attributes: of each piece.
    joined: the span of the request that it goes on with; None where each piece begins a trace.
    """

    processor: SpanProcessor
    owner: str | None
    attributes: dict[str, Attribute]
    joined: Remote | None = None

    def begin(self, name: str, attributes: dict[str, Attribute], *, request_id: str) -> Span:
        """The first span of a piece. request_id: by which it is found, and which its lines in the log have."""
        said = {**self.attributes, **attributes}
        if self.joined is None:
            said[names.REQUEST_ID] = request_id
        else:  # it is found by that request
            request_id = str(said[names.BEGUN_BY])
        return begin_trace(
            self.processor, name, said, request_id=request_id, owner=self.owner, caller=self.joined, kind="internal"
        )


_current: ContextVar[Work | None] = ContextVar("work", default=None)


class working:  # used as a function
    """What happens in `with working(work):` belongs to it."""

    __slots__ = ("_token", "_work")

    def __init__(self, work: Work | None) -> None:
        self._work = work

    def __enter__(self) -> None:
        self._token = _current.set(self._work)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


class piece(during):  # used as a function
    """A piece of the current job, for as long as `with piece(name):` lasts: a line of a batch, a row of an evaluation.
    Nothing where no job is done or nothing is recorded. request_id: by default a new one.
    """

    __slots__ = ()

    def __init__(self, name: str, attributes: dict[str, Attribute], *, request_id: str = "") -> None:
        work = _current.get()
        super().__init__(
            None if work is None else work.begin(name, attributes, request_id=request_id or new_id("req_"))
        )
