"""Protects the server from web pages: a browser sends requests to this machine for any page that is open in it.

A server without keys trusts every client that can reach it, and any web page can reach it through a visitor's browser:
with a plain form post, which needs no CORS preflight, or under the page's own host name with this machine's address
(DNS rebinding). A browser sends the page's origin in `Origin`, and the host name that it used in `Host`.

Which names `Host` may have:
    with `allowed_hosts`, or if the server listens only for this machine: this machine's own names, and `allowed_hosts`
    if it listens for other machines: any name, since we cannot know which names they use. But a browser, unless its
    page is allowed by `server.cors`, may only use an address or this machine's own names: others may be an attacker's
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
    """Refuses requests from pages that `server.cors` does not allow, and requests for another host.

    hosts: names that `Host` may have, besides those of this machine; None if other machines may use any name.
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
        """Raises RequestError for an invalid `Host`, AccessDenied for another host or a page that is not allowed."""
        sent = list(scope["headers"])
        headers = dict(sent)
        if len(headers) != len(sent):
            _refuse_repeated(sent)
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        is_allowed_page = origin in self._origins or "*" in self._origins or self._matches(origin)
        if host:
            if (parsed := split_host(host)) is None:
                raise RequestError(f"the Host header is not a host: `{quoted(host)}`")
            if not (self._is_ours(parsed[0]) or (self._any_client and (is_allowed_page or not _is_browser(headers)))):
                raise AccessDenied(
                    f"`{quoted(host)}` is not a name of this server",
                    hint="to allow this name, add it to `server.allowed_hosts` in the run config",
                )
        elif scope["http_version"] != "1.0":
            raise RequestError("the Host header is missing")  # RFC 9112, 3.2
        if origin and not (is_allowed_page or _same_host(origin, host)):
            raise AccessDenied(
                f"pages of `{quoted(origin)}` may not use this server",
                hint="to allow them, set `server.cors` in the run config",
            )

    def _is_ours(self, name: str) -> bool:
        return is_this_machine(name) or name in self._names or (self._any_client and _is_address(name))

    def _matches(self, origin: str) -> bool:
        return self._pattern is not None and self._pattern.fullmatch(origin) is not None


def _refuse_repeated(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Raises RequestError for a repeated `Host` or `Origin`, since other software may read the first one, and we the
    last.
    """
    names = [name for name, _ in headers]
    for name in (b"host", b"origin"):
        if names.count(name) > 1:
            raise RequestError(f"the {name.decode().title()} header was sent more than once")


def _is_browser(headers: dict[bytes, bytes]) -> bool:
    """Whether a request may come from a web page. A page's GET to its own host over plain http has neither `Origin` nor
    `Sec-Fetch-Site`, so `User-Agent` is checked too.
    """
    return (
        b"origin" in headers or b"sec-fetch-site" in headers or headers.get(b"user-agent", b"").startswith(b"Mozilla/")
    )


@lru_cache(256)
def split_host(host: str) -> tuple[str, int | None] | None:
    """Name and port of a `Host` header; None if it is invalid. The name is in lower case, without a dot at the end, and
    an IPv6 address without brackets and zone.
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
    """The name in an entry of `allowed_hosts`; an IPv6 address may be without brackets."""
    parsed = split_host(f"[{host}]" if _is_address(host) and ":" in host else host)
    return parsed[0] if parsed else host


@lru_cache(256)
def _same_host(origin: str, host: str) -> bool:
    """Whether a page calls the host that it came from. The scheme is not compared: a proxy may have ended the TLS."""
    found = _ORIGIN.fullmatch(origin.lower())
    if found is None:
        return False
    page, asked = split_host(found[2]), split_host(host)
    if page is None or asked is None:
        return False
    default = _PORTS[found[1]]
    return (page[0], page[1] or default) == (asked[0], asked[1] or default)


def own_names() -> frozenset[str]:
    """This machine's own names, with its name in the local network (mDNS). Makes no DNS lookup."""
    own = socket.gethostname().lower()
    return frozenset({own, own.partition(".")[0], f"{own.partition('.')[0]}.local"})


@lru_cache(256)
def is_this_machine(host: str) -> bool:
    """Whether a host name or address can only mean this machine. Makes no DNS lookup: the sender may own the name."""
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
