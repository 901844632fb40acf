"""The request that is being served: its caller, what it carries, and headers and warnings for its answer.

Set by the server's middleware, or by the in-process client; read with `current()`. A stream runs after the handler has
returned, so read what you need before its first yield.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import msgspec

from runtime.access import ANYBODY, Caller
from runtime.ids import new_id
from runtime.telemetry.trace_context import Remote
from runtime.timing import Timing


class RequestContext(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One request.

    user: the caller; ANYBODY unless something else is said. provider_data: keys and settings that the caller sent
    for providers, never logged. request_headers: as the caller sent them, names in lower case; see `header`. trace:
    what the request belongs to for its caller, which is passed on to upstreams.
    faults: what is to go wrong in this request alone, as `runtime.faults` has it.
    headers: to add to the answer. warnings: reported in `x-llama-warnings`. Both are sent before the first byte of the
    body; later changes have no effect. timing: its waits for others.
    is_serving: False for the default context outside of any request. in_background: nobody waits for its answer, so
    that requests for which somebody does go first, and whoever made it sends it again by their own schedule.
    """

    request_id: str = msgspec.field(default_factory=lambda: new_id("req_"))
    user: Caller = ANYBODY
    provider_data: Mapping[str, Any] = msgspec.field(default_factory=dict)
    request_headers: Mapping[bytes, bytes] = msgspec.field(default_factory=dict)
    trace: Remote | None = None
    faults: object | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    warnings: list[str] = msgspec.field(default_factory=list)
    timing: Timing = msgspec.field(default_factory=Timing)
    is_serving: bool = True
    in_background: bool = False

    def __repr__(self) -> str:
        """Without the headers and keys that the caller sent."""
        return f"RequestContext(request_id={self.request_id!r}, user={self.user!r})"

    def header(self, name: str) -> str | None:
        """The value of a header that the caller sent; the last one if it is repeated. None if there is none. name: in
        any case.
        """
        value = self.request_headers.get(name.lower().encode("latin-1"))
        return None if value is None else value.decode("latin-1")


_current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def current() -> RequestContext:
    """The request being served; outside of a request, a new context with a new id."""
    return _current.get() or RequestContext(is_serving=False)


def served() -> str | None:
    """The id of the request being served; None outside of any."""
    context = _current.get()
    return None if context is None else context.request_id


def warn(words: str) -> None:
    """Say something about the answer of the current request in its `x-llama-warnings`. Once: what is true of several
    steps is said by each.
    """
    if words not in (warnings := current().warnings):
        warnings.append(words)


class serving:  # used as a function
    """Make `context` the current request for the code inside `with serving(context):`."""

    __slots__ = ("_context", "_token")

    def __init__(self, context: RequestContext) -> None:
        self._context = context

    def __enter__(self) -> RequestContext:
        self._token = _current.set(self._context)
        return self._context

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
