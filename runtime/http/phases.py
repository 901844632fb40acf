"""What a call to another server waits for, and the error for what did not come in time."""

from __future__ import annotations

from typing import Literal

from runtime.errors import UpstreamTimeout
from runtime.http.refusals import Call
from runtime.http.timeouts import Timeouts

Phase = Literal["free", "connect", "send", "first_byte", "read", "total"]
"""A free connection, an open one, the server to read the request, the first byte of the answer's body, more of it, all
of it.
"""
_PHASES: dict[Phase, tuple[str, str]] = {
    "free": ("had no free connection", "read"),
    "connect": ("did not accept a connection", "connect"),
    "send": ("did not go on reading the request", "read"),
    "first_byte": ("did not begin to answer", "first_byte"),
    "read": ("did not go on with its answer", "read"),
    "total": ("did not complete its answer", "total"),
}
"""What did not happen in time, and the setting with the limit."""


def timeout_error(call: Call, phase: Phase, timeouts: Timeouts) -> UpstreamTimeout:
    """The error for a phase of a call that took too long."""
    limits = {
        "connect": timeouts.connect_s, "read": timeouts.read_s, "total": timeouts.total_s,
        "first_byte": timeouts.first_byte_s or timeouts.read_s,
    }  # fmt: skip
    what, setting = _PHASES[phase]
    hint = f"`network.timeout.{setting}` in its config sets this limit"
    if phase == "free":
        hint = f"`network.limits.max_connections` in its config limits them, `network.timeout.{setting}` this wait"
    return UpstreamTimeout(
        f"`{call.provider_id}` {what} within {limits[setting]:.4g} s ({call.place})",
        provider_id=call.provider_id,
        hint=hint,
    )
