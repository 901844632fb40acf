"""The request that is being served: its id, the keys it brought for providers, and what is to be said before its
first byte.

Set by the server's middleware, or by the in-process client; read with `current()`. A stream runs after the handler
has returned: read what you need before its first yield.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from runtime.ids import new_id


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestContext:
    """One request. provider_data: keys and settings that the caller brought for providers, never logged.

    trace: the caller's W3C traceparent, passed on to upstreams. deadline: when calls to upstreams end at the latest, a
    value of `time.monotonic()`.
    headers: to add to the answer. warnings: told in `x-llama-warnings`. Both are written before the first byte and
    lost after it.
    is_serving: False for the stand-in outside of any request.
    """

    request_id: str = field(default_factory=lambda: new_id("req_"))
    provider_data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    headers: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    is_serving: bool = True
    trace: str | None = None
    deadline: float | None = None


_current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def current() -> RequestContext:
    """The request being served; outside of one, a fresh context with an id of its own."""
    return _current.get() or RequestContext(is_serving=False)


@contextmanager
def serving(context: RequestContext) -> Iterator[RequestContext]:
    """Make `context` the current request for the code inside."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
