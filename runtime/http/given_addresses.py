"""Addresses that users give: whether this machine may ask what lies there.

This machine reaches more than its users do: its own services, private networks, what a cloud tells its machines about
themselves. So a name is looked up and each of its addresses must be public; a client made by `for_others` then connects
only to addresses that are (`live/given_names.py`), whatever a second look-up says. Behind a proxy, which looks up names
itself, what it reaches is its own rule; addresses that are not public by themselves are refused there too.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from runtime.addresses import PORTS, REDACTED, is_local, is_public, origin_of
from runtime.errors import RequestError
from runtime.http.connections import Connections
from runtime.http.lookups import look_up
from runtime.http.network import Network
from runtime.http.proxies import proxy_for

_KEPT = "%/:=&?~+!$,;'@()*"
"""Characters of paths and queries that stay as they are."""


async def checked_address(url: str, *, connections: Connections, allow_private: bool, allowed_by: str) -> str:
    """The address, made anew of its parts, so that nobody reads it otherwise than it was checked.

    connections: of the client that will ask. allow_private: whether it may lead to this machine and to private
    networks; allowed_by: the setting that says so, for messages. Raises RequestError for what is no address, for one
    that is not public, and for a name that is not known.
    """
    address, host, is_proxied = _parsed(url, connections.network)
    if allow_private:
        return address
    _refuse_private(url, host, allowed_by)
    if not (is_proxied or connections.is_offline) and is_public(host) is None:
        try:
            found = await look_up(host)
        except OSError as error:
            raise unreadable(url, error.strerror or "its name is not known") from None
        if not all(is_public(str(one[4][0])) for one in found):
            raise _not_public(url, allowed_by)
    return address


def check_registered(url: str, *, allowed_by: str) -> None:
    """Refuse an address at once that would be refused whenever it is asked. A name is not looked up: where it leads is
    known when it is asked. Raises RequestError as `checked_address` does.
    """
    _, host, _ = _parsed(url, None)
    _refuse_private(url, host, allowed_by)


def _refuse_private(url: str, host: str, allowed_by: str) -> None:
    if is_local(host) or is_public(host) is False:
        raise _not_public(url, allowed_by)


def unreadable(url: str, reason: str) -> RequestError:
    return RequestError(f"`{origin_of(url)[:200]}` cannot be read: {reason}", code="address_unreadable")


def _parsed(url: str, network: Network | None) -> tuple[str, str, bool]:
    """The address, its host, and whether a proxy leads there."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
        path, query = _quoted(parts.path) or "/", _quoted(parts.query)
    except ValueError:  # an invalid port, half an IPv6 address, a name that is none, half a character
        raise _no_address(url) from None
    if parts.scheme not in PORTS or not host or parts.username is not None:
        raise _no_address(url)
    if REDACTED in parts.path:
        raise RequestError(
            f"`{origin_of(url)[:200]}` is what is shown of an address, not the address",
            hint="give the whole one, as whoever registered it has it",
            code="invalid_address",
        )
    shown = f"[{host}]" if ":" in host else host
    place = shown if port is None else f"{shown}:{port}"
    made = f"{parts.scheme}://{place}{path}{f'?{query}' if query else ''}"
    settings = network.proxy if network is not None else None
    return made, host, bool(proxy_for(parts.scheme, host, port, settings).url)


def _quoted(part: str) -> str:
    """Bytes of a header that are no text come as surrogates, and are sent on as they were."""
    return quote(part, safe=_KEPT, errors="surrogateescape")


def _no_address(url: str) -> RequestError:
    return RequestError(
        f"`{origin_of(url)[:200]}` is not an address that can be read",
        hint="give one that begins with `https://` or `http://`, without user and password",
        code="invalid_address",
    )


def _not_public(url: str, allowed_by: str) -> RequestError:
    return RequestError(
        f"`{origin_of(url)[:200]}` is not a public address",
        hint=f"whoever runs this server allows such addresses with {allowed_by}",
        code="address_not_allowed",
    )
