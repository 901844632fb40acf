"""The span of one attempt to get an answer from another server: until its headers are there."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from runtime.addresses import PORTS
from runtime.telemetry import conventions as names
from runtime.telemetry.spans import Attribute, Span, current_span

_REFUSED = 400
_now = time.perf_counter


def begin_attempt(method: str) -> Span | None:
    """What happens until `end_attempt` belongs to the attempt; None where nothing is recorded."""
    parent = current_span()
    if parent is None:
        return None
    return Span(parent.trace, "", parent, method, "client", {}, _now())


def end_attempt(span: Span, method: str, url: str, status: int) -> None:
    """status: of the answer; 0 where it has failed otherwise. Only server and method are told: an address may hold a
    key.
    """
    span.untold = _tell, method, url, status
    if status >= _REFUSED:
        span.error = str(status)
    span.end()


def _tell(span: Span, method: str, url: str, status: int) -> None:
    span.attributes |= _server(method, url)
    if status:
        span.attributes[names.STATUS] = status


_servers: dict[str, tuple[str, int]] = {}
_MOST_SERVERS = 1000


def _server(method: str, url: str) -> dict[str, Attribute]:
    scheme, _, rest = url.partition("://")
    place = f"{scheme}://{rest.partition('/')[0]}"
    found = _servers.get(place)
    if found is None:
        if len(_servers) >= _MOST_SERVERS:
            _servers.clear()
        found = _servers[place] = _host_and_port(place)
    return {names.METHOD: method, names.SERVER_ADDRESS: found[0], names.SERVER_PORT: found[1]}


def _host_and_port(place: str) -> tuple[str, int]:
    try:
        parts = urlsplit(place)
        return parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", 0
