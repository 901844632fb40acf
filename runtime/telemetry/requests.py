"""The span of a request: what was asked, by which route, and how it was answered."""

from __future__ import annotations

from runtime.access import Caller, User
from runtime.telemetry import conventions as names
from runtime.telemetry.spans import Attribute, Span, SpanProcessor, begin_trace
from runtime.telemetry.trace_context import Remote

_SERVER_ERROR = 500
_TELEMETRY = ("/v1/telemetry/", "/v1alpha/telemetry/")


def is_about_telemetry(path: str) -> bool:
    """Whether a request asks what has happened: if that were kept too, whoever watches would see themselves."""
    return path.startswith(_TELEMETRY)


def begin_request(
    processor: SpanProcessor,
    *,
    request_id: str,
    user: Caller,
    caller: Remote | None,
    method: str,
    path: str,
    scheme: str,
) -> Span:
    """The first span of a request. user: who asks. caller: the trace that its caller goes on with, if any."""
    attributes: dict[str, Attribute] = {
        names.METHOD: method,
        names.URL_PATH: path,
        names.URL_SCHEME: scheme,
        names.REQUEST_ID: request_id,
    }
    owner = user.principal if isinstance(user, User) else None
    return begin_trace(processor, method, attributes, request_id=request_id, owner=owner, caller=caller)


def end_request(span: Span, *, route: str | None, status: int, overhead_ms: float, waited_ms: float) -> None:
    """route: the template of its path, None if it has none. overhead_ms, waited_ms: as the answer's headers have it."""
    attributes = span.attributes
    if route is not None:
        span.name = f"{attributes[names.METHOD]} {route}"
        attributes[names.ROUTE] = route
    attributes[names.STATUS] = status
    attributes[names.OVERHEAD_MS] = overhead_ms
    attributes[names.WAITED_MS] = waited_ms
    if status >= _SERVER_ERROR and not span.error:  # the fault of a caller is none of a server's span
        span.error = str(status)
    span.end()
