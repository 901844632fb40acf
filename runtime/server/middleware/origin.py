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

import re
from collections.abc import Iterable, Mapping, Sequence

from runtime.config.sections import CorsConfig
from runtime.context import current
from runtime.errors import AccessDenied, RequestError
from runtime.invalid.vocabulary import quoted
from runtime.server.asgi import HTTP, WEBSOCKET, App, Receive, Scope, Send
from runtime.server.middleware.hosts import host_name, is_address, is_same_host, is_this_machine, own_names, split_host

_MAX_ALLOWED = 1000
_MAX_ALLOWED_LENGTH = 600
"""How many combinations of headers are remembered as allowed, and how long their values may be: a host's name has at
most 253 characters, and a caller may send thousands.
"""


class OriginMiddleware:
    """Refuses requests from pages that `server.cors` does not allow, and requests for another host.

    hosts: names that `Host` may have, besides those of this machine; None if other machines may use any name. Reads the
    headers from the request's context.
    """

    def __init__(self, app: App, *, cors: CorsConfig | None, hosts: Sequence[str] | None) -> None:
        self._app = app
        self._any_client = hosts is None
        self._names = own_names() if hosts is None else {host_name(host) for host in hosts}
        self._origins = frozenset(cors.allow_origins) if cors else frozenset()
        pattern = cors.allow_origin_regex if cors else None
        self._pattern = re.compile(pattern) if pattern else None
        self._allowed: set[tuple[bytes | None, bytes | None, bool]] = set()  # host, origin, may it be a browser

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in (HTTP, WEBSOCKET):
            headers = current().request_headers
            if len(headers) != len(scope["headers"]):
                _refuse_repeated(scope["headers"])
            key = headers.get(b"host"), headers.get(b"origin"), _is_browser(headers)
            if key not in self._allowed:
                self._check(scope, headers)
                is_short = len(key[0] or b"") + len(key[1] or b"") <= _MAX_ALLOWED_LENGTH
                if key[0] and is_short and len(self._allowed) < _MAX_ALLOWED:
                    self._allowed.add(key)
        await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """Raises RequestError for an invalid `Host`, AccessDenied for another host or a page that is not allowed."""
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
        if origin and not (is_allowed_page or is_same_host(origin, host)):
            raise AccessDenied(
                f"pages of `{quoted(origin)}` may not use this server",
                hint="to allow them, set `server.cors` in the run config",
            )

    def _is_ours(self, name: str) -> bool:
        return is_this_machine(name) or name in self._names or (self._any_client and is_address(name))

    def _matches(self, origin: str) -> bool:
        return self._pattern is not None and self._pattern.fullmatch(origin) is not None


def _refuse_repeated(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raises RequestError for a repeated `Host` or `Origin`, since other software may read the first one, and we the
    last.
    """
    names = [name for name, _ in headers]
    for name in (b"host", b"origin"):
        if names.count(name) > 1:
            raise RequestError(f"the {name.decode().title()} header was sent more than once")


def _is_browser(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request may come from a web page. A page's GET to its own host over plain http has neither `Origin` nor
    `Sec-Fetch-Site`, so `User-Agent` is checked too.
    """
    return (
        b"origin" in headers or b"sec-fetch-site" in headers or headers.get(b"user-agent", b"").startswith(b"Mozilla/")
    )
