"""Keeps web pages out: a browser may send requests to this machine for any page that is open in it.

A server without keys trusts whoever reaches it, and a page of a stranger reaches it through its visitor's browser: with
a plain form post, which no CORS preflight announces, or under a host name of its own that it points here (DNS
rebinding). Browsers say where a request comes from in `Origin` and whom they think they talk to in `Host`.

Which names `Host` may have:
    allowed_hosts given, or listening on this machine alone: this machine's own, and those given
    listening for other machines: we cannot know by which names they do, so any; but from a browser, unless its page is
    one that `server.cors` names, only an address or a name that this machine gives itself: others may be a stranger's
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from functools import lru_cache

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send, WebSocketScope

from runtime.config.sections import CorsConfig
from runtime.errors import AccessDenied, RequestError
from runtime.server.errors import quoted

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(\[[0-9a-f:.]+(?:%[\w.~-]+)?\]|[a-z0-9._-]+)(?::([0-9]{1,5})?)?", re.ASCII)
_ORIGIN = re.compile(r"(https?)://([^/@]+)")


class OriginMiddleware:
    """Refuses requests of pages that `server.cors` does not allow, and those addressed to somebody else.

    hosts: names, beside those of this machine, that `Host` may have; None where other machines may use any.
    """

    def __init__(self, app: ASGIApp, *, cors: CorsConfig | None, hosts: Sequence[str] | None) -> None:
        self._app = app
        self._any_client = hosts is None
        self._names = own_names() if hosts is None else {_name(host) for host in hosts}
        self._origins = frozenset(cors.allow_origins) if cors else frozenset()
        pattern = cors.allow_origin_regex if cors else None
        self._pattern = re.compile(pattern) if pattern else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in (ScopeType.HTTP, ScopeType.WEBSOCKET):
            self._check(scope)
        await self._app(scope, receive, send)

    def _check(self, scope: HTTPScope | WebSocketScope) -> None:
        """Raises RequestError for a `Host` that is none, AccessDenied for a foreign one and for a foreign page."""
        sent = list(scope["headers"])
        headers = dict(sent)
        if len(headers) != len(sent):
            _no_two(sent)
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        is_invited = origin in self._origins or "*" in self._origins or self._matches(origin)
        if host:
            if (parsed := split_host(host)) is None:
                raise RequestError(f"the Host header is no host: `{quoted(host)}`")
            if not (self._is_ours(parsed[0]) or (self._any_client and (is_invited or not _is_browser(headers)))):
                raise AccessDenied(
                    f"`{quoted(host)}` is not a name of this server",
                    hint="a name by which it is reached can be allowed: `server.allowed_hosts` in the run config",
                )
        elif scope["http_version"] != "1.0":
            raise RequestError("the Host header is missing")  # RFC 9112, 3.2
        if origin and not (is_invited or _same_place(origin, host)):
            raise AccessDenied(
                f"pages of `{quoted(origin)}` may not use this server",
                hint="allow them: `server.cors` in the run config",
            )

    def _is_ours(self, name: str) -> bool:
        return is_this_machine(name) or name in self._names or (self._any_client and _is_address(name))

    def _matches(self, origin: str) -> bool:
        return self._pattern is not None and self._pattern.fullmatch(origin) is not None


def _no_two(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Raises RequestError for a second `Host` or `Origin`: who reads the first would see another than who reads the
    last.
    """
    names = [name for name, _ in headers]
    for name in (b"host", b"origin"):
        if names.count(name) > 1:
            raise RequestError(f"the {name.decode().title()} header came more than once")


def _is_browser(headers: dict[bytes, bytes]) -> bool:
    """Whether a page may be behind a request. A page's GET to its own name over plain http has neither `Origin` nor
    `Sec-Fetch-Site`, so what browsers call themselves counts too.
    """
    return (
        b"origin" in headers or b"sec-fetch-site" in headers or headers.get(b"user-agent", b"").startswith(b"Mozilla/")
    )


@lru_cache(256)
def split_host(host: str) -> tuple[str, int | None] | None:
    """Name and port of a `Host` header; None for what is none. The name is in lower case, without the dot that ends a
    full name, the brackets of an IPv6 address or its zone.
    """
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return None
    name, port = found[1], int(found[2]) if found[2] else None
    if name.startswith("["):
        name = name[1:-1].partition("%")[0]
        if not _is_address(name):
            return None
    name = name.removesuffix(".")
    return (name, port) if name and (port or 0) <= 65535 else None


def _name(host: str) -> str:
    """The name in an entry of `allowed_hosts`, which may be an IPv6 address without its brackets."""
    parsed = split_host(f"[{host}]" if _is_address(host) and ":" in host else host)
    return parsed[0] if parsed else host


@lru_cache(256)
def _same_place(origin: str, host: str) -> bool:
    """Whether a page came from the place that it asks. Not by scheme: a proxy before us may have taken off the TLS."""
    found = _ORIGIN.fullmatch(origin.lower())
    if found is None:
        return False
    page, asked = split_host(found[2]), split_host(host)
    if page is None or asked is None:
        return False
    usual = _PORTS[found[1]]
    return (page[0], page[1] or usual) == (asked[0], asked[1] or usual)


def own_names() -> frozenset[str]:
    """What this machine calls itself, also as its neighbours see it (mDNS). Looks nothing up."""
    own = socket.gethostname().lower()
    return frozenset({own, own.partition(".")[0], f"{own.partition('.')[0]}.local"})


@lru_cache(256)
def is_this_machine(host: str) -> bool:
    """Whether a host name or address can only be this machine. Looks nothing up: whoever sends a name may own it."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


@lru_cache(256)
def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
