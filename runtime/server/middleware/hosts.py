"""Names of hosts in `Host` and `Origin` headers, and which of them are this machine. Looks nothing up.

RFC 9110, 7.2; RFC 6454, 7.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from functools import lru_cache

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(\[[0-9a-f:.]+(?:%[\w.~-]+)?\]|[a-z0-9._-]+)(?::([0-9]{1,5})?)?", re.ASCII)
_ORIGIN = re.compile(r"(https?)://([^/@]+)")


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
        if not is_address(name):
            return None
    name = name.removesuffix(".")
    return (name, port) if name and (port or 0) <= 65535 else None


def host_name(host: str) -> str:
    """The name in an entry of `allowed_hosts`; an IPv6 address may be without brackets."""
    parsed = split_host(f"[{host}]" if is_address(host) and ":" in host else host)
    return parsed[0] if parsed else host


@lru_cache(256)
def is_same_host(origin: str, host: str) -> bool:
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
def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
