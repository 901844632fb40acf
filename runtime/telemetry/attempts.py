"""The span of one attempt to get an answer from another server: until its headers are there."""

from __future__ import annotations

from urllib.parse import urlsplit

from runtime.addresses import PORTS
from runtime.telemetry import conventions as names
from runtime.telemetry.found import Found
from runtime.telemetry.spans import Attribute, Span

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
    span.attributes |= _server(method, url)
    if status:
        span.attributes[names.STATUS] = status


def _server(method: str, url: str) -> dict[str, Attribute]:
    scheme, _, rest = url.partition("://")
    place = f"{scheme}://{rest.partition('/')[0]}"
    address, port = _servers[place]
    return {names.METHOD: method, names.SERVER_ADDRESS: address, names.SERVER_PORT: port}


def _host_and_port(place: str) -> tuple[str, int]:
    try:
        parts = urlsplit(place)
        return parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", 0


_servers = Found(_host_and_port)
