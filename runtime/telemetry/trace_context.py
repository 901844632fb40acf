"""The context of a trace as it travels in headers: W3C Trace Context, https://www.w3.org/TR/trace-context/."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from runtime.ids import RandomDigits

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
TRACEPARENT_BYTES, _TRACESTATE_BYTES = TRACEPARENT.encode(), TRACESTATE.encode()
_HEADER = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_OLDEST, _NO_VERSION = b"00", b"ff"
_SAMPLED = 1
_KEY = rb"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
_VALUE = rb"[ -+\--<>-~]{0,255}[!-+\--<>-~]"
_MEMBER = rb"[ \t]*(?:" + _KEY + rb"=" + _VALUE + rb"[ \t]*)?"
_STATE = re.compile(_MEMBER + rb"(?:," + _MEMBER + rb"){0,31}")
"""A list of 32 members at most, some of them empty (3.3.1). Whatever else a caller sends goes no further."""
_STATE_LENGTH = 512
"""Longer ones need not be passed on (3.3.1.5)."""


class Remote(NamedTuple):
    """The span of another service that a request belongs to. trace_id: 32 hex digits. span_id: 16. state: what vendors
    pass on among themselves.
    """

    trace_id: str
    span_id: str
    is_sampled: bool
    state: str = ""

    @property
    def context(self) -> dict[str, str]:
        """The headers by which another service goes on with it."""
        return headers_of(self.trace_id, self.span_id, is_sampled=self.is_sampled, state=self.state)


def parsed(traceparent: bytes | None, tracestate: bytes | None = None) -> Remote | None:
    """The context that headers state; None where they state none that is valid, which is as if there were none."""
    found = _HEADER.fullmatch(traceparent) if traceparent else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == _NO_VERSION or (version == _OLDEST and more) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    state = ""
    if tracestate and len(tracestate) <= _STATE_LENGTH and _STATE.fullmatch(tracestate):
        state = tracestate.decode()
    return Remote(trace_id.decode(), span_id.decode(), bool(int(flags, 16) & _SAMPLED), state)


def caller_of(headers: Iterable[tuple[bytes, bytes]]) -> Remote | None:
    """The span that a request belongs to, by its headers, names in lower case. Several `tracestate` are one (3.3.1);
    several `traceparent` are none.
    """
    parents = [value for name, value in headers if name == TRACEPARENT_BYTES]
    states = [value for name, value in headers if name == _TRACESTATE_BYTES]
    return parsed(parents[0], b",".join(states)) if len(parents) == 1 else None


def headers_of(trace_id: str, span_id: str, *, is_sampled: bool, state: str) -> dict[str, str]:
    """The headers of a call that belongs to a span."""
    headers: dict[str, str] = {}
    put_headers(headers, trace_id, span_id, is_sampled, state)
    return headers


def put_headers(headers: dict[str, str], trace_id: str, span_id: str, is_sampled: bool, state: str) -> None:
    """Add them to others."""
    headers[TRACEPARENT] = f"00-{trace_id}-{span_id}-{'01' if is_sampled else '00'}"
    if state:
        headers[TRACESTATE] = state


new_trace_id, new_span_id = RandomDigits(32), RandomDigits(16)
