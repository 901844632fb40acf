"""The request that is being served: who asks, what the request brought, and what is to be said before its first byte.

Set by the server's middleware, or by the in-process client; read with `current()`. A stream runs after the handler
has returned: read what you need before its first yield.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from runtime.access import User
from runtime.ids import new_id


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestContext:
    """One request.

    user: the authenticated caller, None where nobody is. provider_data: keys and settings that the caller brought for
    providers, never logged. request_headers: what the caller sent, names in lower case; see `header`. trace: the
    caller's W3C traceparent, which is passed on to upstreams. deadline: the `time.monotonic()` by which the answer has
    to be there, None for no limit.
    headers: to add to the answer. warnings: reported in `x-llama-warnings`. Both are written before the first byte and
    lost after it.
    is_serving: False for the stand-in outside of any request.
    """

    request_id: str = field(default_factory=lambda: new_id("req_"))
    user: User | None = None
    provider_data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    request_headers: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    trace: str | None = None
    deadline: float | None = None
    headers: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    is_serving: bool = True

    def header(self, name: str) -> str | None:
        """A header that the caller sent, in any case; the last one of several. None where there is none."""
        value = self.request_headers.get(name.lower().encode("latin-1"))
        return None if value is None else value.decode("latin-1")


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
