"""The span of OpenTelemetry in which a program asks the stack that it has as a library: what follows belongs to it.

A program that traces its HTTP library sends the context itself, with the request's span; what it sends stays.
"""

from __future__ import annotations

import sys
from typing import Any

from runtime.client.exchange import Headers
from runtime.telemetry.trace_context import TRACEPARENT_BYTES, headers_of


def with_span_of_program(headers: Headers) -> Headers:
    """The headers of a request, with the current span of the program as its caller, if there is one. Called where the
    program asks. Costs nothing in a program that has not imported OpenTelemetry.
    """
    module: Any = sys.modules.get("opentelemetry.trace")
    current = getattr(module, "get_current_span", None)  # None while it is being imported
    if current is None:
        return headers
    context = current().get_span_context()
    if not context.is_valid or any(name.lower() == TRACEPARENT_BYTES for name, _ in headers):
        return headers
    state = ",".join(f"{key}={value}" for key, value in context.trace_state.items())
    ids = f"{context.trace_id:032x}", f"{context.span_id:016x}"
    added = headers_of(*ids, is_sampled=context.trace_flags.sampled, state=state if state.isascii() else "")
    return [*headers, *((name.encode(), value.encode()) for name, value in added.items())]
