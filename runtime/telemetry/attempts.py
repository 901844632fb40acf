"""The span of one attempt to get an answer from another server: until its headers are there."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from runtime.addresses import PORTS
from runtime.telemetry import conventions as names
from runtime.telemetry.spans import Attribute, begin, during

_REFUSED = 400


class attempted(during):  # used as a function
    """An attempt, for as long as `with attempted(method, url) as attempt:` lasts. Only server and method are told of
    it: an address may hold a key.
    """

    __slots__ = ()

    def __init__(self, method: str, url: str) -> None:
        super().__init__(begin(method, _server(method, url), "client"))

    def __enter__(self) -> Self:  # type: ignore[override]  # whoever attempts it says how it was answered
        super().__enter__()
        return self

    def answered(self, status: int) -> None:
        if self._span is not None:
            self._span.attributes[names.STATUS] = status
            if status >= _REFUSED:
                self._span.error = str(status)


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
