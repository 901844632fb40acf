"""The span of one attempt to get an answer from another server: until its headers are there."""

from __future__ import annotations

from urllib.parse import urlsplit

from runtime.addresses import PORTS
from runtime.telemetry import conventions as names
from runtime.telemetry.found import Found
from runtime.telemetry.spans import Attribute, Shape, Span

_REFUSED = 400


def end_attempt(span: Span, method: str, url: str, status: int) -> None:
    """span: begun before it was sent. status: of the answer; 0 where it has failed otherwise. Only server and method
    are told: an address may hold a key.
    """
    span.untold = _tell, method, url, status
    if status >= _REFUSED:
        span.error = str(status)
    span.end()


def _tell(span: Span, method: str, url: str, status: int) -> None:
    end = url.find("/", url.find("://") + 3)  # of its server's address
    shape = _shapes[span.name, method, url if end < 0 else url[:end], status]
    if span.error or span.own:
        span.own |= shape.attributes
    else:
        span.shape = shape


def _alike(said: tuple[str, str, str, int]) -> Shape:
    name, method, url, status = said
    try:
        parts = urlsplit(url)
        address, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        address, port = "", 0
    attributes: dict[str, Attribute] = {names.METHOD: method, names.SERVER_ADDRESS: address, names.SERVER_PORT: port}
    return Shape(name, {**attributes, names.STATUS: status} if status else attributes)


_shapes = Found(_alike)
