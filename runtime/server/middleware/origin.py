"""Keeps web pages out: a browser may send requests to this machine for any page that is open in it.

A server without keys trusts whoever reaches it, and a page of a stranger reaches it through its visitor's browser: with
a plain form post, which no CORS preflight announces, or under a host name of its own that it points here (DNS
rebinding). Browsers say where a request comes from in `Origin` and whom they think they talk to in `Host`; clients that
are no browsers send no `Origin` and our own address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from runtime.config.run_config import CorsConfig
from runtime.errors import AccessDenied


class OriginMiddleware:
    """Refuses requests of pages that `server.cors` does not allow. hosts: the names that `Host` may have; None
    for any.
    """

    def __init__(self, app: ASGIApp, *, cors: CorsConfig | None, hosts: Sequence[str] | None) -> None:
        self._app = app
        self._hosts = None if hosts is None else frozenset(name.lower() for name in hosts)
        self._origins = frozenset(cors.allow_origins) if cors else frozenset()
        pattern = cors.allow_origin_regex if cors else None
        self._pattern = re.compile(pattern) if pattern else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            self._check(scope)
        await self._app(scope, receive, send)

    def _check(self, scope: HTTPScope) -> None:
        host = origin = ""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.decode("latin-1")
            elif name == b"origin":
                origin = value.decode("latin-1")
        if self._hosts is not None and host and not self._is_ours(host):
            raise AccessDenied(
                f"`{host}` is not a name of this server",
                hint="a proxy in front of it can be allowed: `server.allowed_hosts` in the run config",
            )
        if origin and not self._may_call(origin, host):
            raise AccessDenied(
                f"pages of `{origin}` may not use this server", hint="allow them: `server.cors` in the run config"
            )

    def _is_ours(self, host: str) -> bool:
        name = _host_name(host)
        return is_this_machine(name) or name in (self._hosts or ())

    def _may_call(self, origin: str, host: str) -> bool:
        if urlsplit(origin).netloc.lower() == host.lower() or "*" in self._origins or origin in self._origins:
            return True
        return self._pattern is not None and self._pattern.fullmatch(origin) is not None


@lru_cache(256)
def _host_name(host: str) -> str:
    """Without its port, in lower case; empty for what is no host."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


@lru_cache(256)
def is_this_machine(host: str) -> bool:
    """Whether a host name or address can only be this machine. Looks nothing up: whoever sends a name may own it."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
