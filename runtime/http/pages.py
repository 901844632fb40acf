"""What lies at an address that a user gives: read from public servers only.

This machine reaches more than its users do: its own services, private networks, what a cloud tells its machines about
themselves. So a name is looked up and each of its addresses must be public, also after a redirection; connections are
opened to addresses that were found so (`live/public.py`), not to those of a second look. Behind a proxy, which looks up
names itself, what it reaches is its own rule; addresses that are not public by themselves are refused there too.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from runtime.addresses import PORTS, is_local, is_public, place_of
from runtime.errors import RequestError, TooLarge, UpstreamError
from runtime.http.client import HttpClient
from runtime.http.proxies import proxy_for
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Exchange, Outgoing

_MAX_REDIRECTIONS = 5
_REDIRECTIONS = (301, 302, 303, 307, 308)
_KEPT = "%/:=&?~+!$,;'@()*"
"""Characters of paths and queries that stay as they are."""


@dataclass(frozen=True)
class Page:
    """content_type: as the server says it, without parameters; empty where it does not. url: where it was found."""

    content: bytes
    content_type: str
    url: str


@dataclass(frozen=True)
class _Address:
    url: str
    host: str
    is_proxied: bool


class Pages:
    """http: the provider's client, whose keys and headers are not sent. allow_private: whether addresses of this
    machine and of private networks are read too.
    """

    def __init__(self, http: HttpClient, *, allow_private: bool = False) -> None:
        self._http = http.for_others(only_public=not allow_private)
        self._network = http.connections.network
        self._allow_private = allow_private

    async def read(self, url: str, *, limit_bytes: int, timeout_s: float) -> Page:
        """All of what an address leads to. Raises RequestError for an address that is none, that is not public, or that
        cannot be read, and TooLarge.
        """
        try:
            async with asyncio.timeout(timeout_s):
                for _ in range(_MAX_REDIRECTIONS + 1):
                    address = await self._checked(url)
                    request = Outgoing(method="GET", url=address.url, timeouts=Timeouts(read_s=timeout_s))
                    exchange = await self._http.exchange(request, redirects=True)
                    try:
                        if exchange.status not in _REDIRECTIONS:
                            return await _page(exchange, address.url, limit_bytes)
                        url = urljoin(address.url, exchange.headers.get("location", ""))
                    finally:
                        await exchange.close()
        except TimeoutError:
            raise _unreadable(url, f"it took longer than {timeout_s:g} s") from None
        except UpstreamError as error:
            raise _unreadable(url, error.message) from error
        raise _unreadable(url, f"it leads on more than {_MAX_REDIRECTIONS} times")

    async def _checked(self, url: str) -> _Address:
        address = self._parsed(url)
        if self._allow_private:
            return address
        if is_local(address.host) or is_public(address.host) is False:
            raise _not_public(url)
        if not address.is_proxied and is_public(address.host) is None:
            loop = asyncio.get_running_loop()
            try:
                found = await loop.getaddrinfo(address.host, None, type=socket.SOCK_STREAM)
            except OSError as error:
                raise _unreadable(url, error.strerror or "its name is not known") from None
            if not all(is_public(str(one[4][0])) for one in found):
                raise _not_public(url)
        return address

    def _parsed(self, url: str) -> _Address:
        """The address, made anew of its parts, so that nobody reads it otherwise than it was checked."""
        try:
            parts = urlsplit(url.strip())
            port = parts.port
            host = (parts.hostname or "").encode("idna").decode()
        except ValueError:  # an invalid port, half an IPv6 address, a name that is none
            raise _no_address(url) from None
        if parts.scheme not in PORTS or not host or parts.username is not None:
            raise _no_address(url)
        shown = f"[{host}]" if ":" in host else host
        place = shown if port is None else f"{shown}:{port}"
        query = f"?{quote(parts.query, safe=_KEPT)}" if parts.query else ""
        made = f"{parts.scheme}://{place}{quote(parts.path, safe=_KEPT) or '/'}{query}"
        settings = self._network.proxy if self._network is not None else None
        return _Address(made, host, bool(proxy_for(parts.scheme, host, port, settings).url))


async def _page(exchange: Exchange, url: str, limit_bytes: int) -> Page:
    if exchange.status != 200:
        raise _unreadable(url, f"its server answered {exchange.status}")
    if (encoding := exchange.headers.get("content-encoding", "identity").lower()) != "identity":
        raise _unreadable(url, f"its content encoding is `{encoding[:40]}`, which was not asked for")
    content = bytearray()
    async for chunk in exchange.chunks():
        content += chunk
        if len(content) > limit_bytes:
            raise TooLarge(f"`{place_of(url)}` has more than {limit_bytes} bytes", code="document_over_limit")
    content_type = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Page(bytes(content), content_type, url)


def _no_address(url: str) -> RequestError:
    return RequestError(
        f"`{place_of(url)[:200]}` is not an address that can be read",
        hint="give one that begins with `https://` or `http://`, without user and password",
        code="invalid_address",
    )


def _not_public(url: str) -> RequestError:
    return RequestError(f"`{place_of(url)[:200]}` is not a public address", code="address_not_allowed")


def _unreadable(url: str, reason: str) -> RequestError:
    return RequestError(f"`{place_of(url)[:200]}` cannot be read: {reason}", code="address_unreadable")
