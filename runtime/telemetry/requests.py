"""The span of a request: what was asked, by which route, and how it was answered."""

from __future__ import annotations

from runtime.access import Caller, User
from runtime.telemetry import conventions as names
from runtime.telemetry.found import Found
from runtime.telemetry.spans import Attribute, Shape, Span, SpanProcessor, begin_trace
from runtime.telemetry.trace_context import Remote

_SERVER_ERROR = 500
_LONGEST_PATH = 500
_TELEMETRY = ("/v1/telemetry/", "/v1alpha/telemetry/")


def is_about_telemetry(path: str) -> bool:
    """Whether a request asks what has happened: if that were kept too, whoever watches would see themselves."""
    return path.startswith(_TELEMETRY)


def begin_request(processor: SpanProcessor, request_id: str, user: Caller, caller: Remote | None) -> Span:
    """The first span of a request. user: who asks. caller: the trace that its caller goes on with, if any."""
    owner = user.principal if isinstance(user, User) else None
    return begin_trace(processor, "", {}, request_id=request_id, owner=owner, caller=caller)


def end_request(
    span: Span, method: str, path: str, scheme: str, route: str | None, status: int, overhead_ms: float, waited_s: float
) -> None:
    """route: the template of its path, None if it has none. overhead_ms, waited_s: as the answer's headers have it."""
    span.untold = _tell, method, path, scheme, route, status, overhead_ms, waited_s
    if status >= _SERVER_ERROR and not span.error:  # the fault of a caller is none of a server's span
        span.error = str(status)
    span.end()


def _tell(
    span: Span, method: str, path: str, scheme: str, route: str | None, status: int, overhead_ms: float, waited_s: float
) -> None:
    own: dict[str, Attribute] = {
        names.REQUEST_ID: span.trace.request_id,
        names.OVERHEAD_MS: _tenths(overhead_ms),
        names.WAITED_MS: _tenths(waited_s * 1000),
    }
    if path != route:
        own[names.URL_PATH] = path[:_LONGEST_PATH]
    if span.own:
        own |= span.own
    shape = _shapes[method, scheme, route, status]
    span.name = shape.name
    if span.error:
        span.own = {**shape.attributes, **own}
    else:
        span.own, span.shape = own, shape


def _alike(said: tuple[str, str, str | None, int]) -> Shape:
    method, scheme, route, status = said
    attributes: dict[str, Attribute] = {names.METHOD: method, names.URL_SCHEME: scheme, names.STATUS: status}
    if route is None:
        return Shape(method, attributes)
    return Shape(f"{method} {route}", {**attributes, names.ROUTE: route, names.URL_PATH: route})


def _tenths(value: float) -> float:
    """Rounded to one digit; `round` costs many times as much."""
    return int(value * 10 + 0.5) / 10


_shapes = Found(_alike)
