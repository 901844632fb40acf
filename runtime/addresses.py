"""Addresses of servers: how they are shown, which of them mean this machine, and which proxy leads to them.

`http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` are read in lower or upper case, as in curl. Their proxies are
never used for this machine itself; `no_proxy` may contain networks. Standard library only, since the command line
imports it.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies

PORTS = {"http": 80, "https": 443}
"""The usual port of a scheme."""
REDACTED = "<redacted>"
"""In place of what is not shown of an address, as OpenAI has it."""
_KEY_CHARACTERS = 16
"""At least, of a key in a path, with a digit among them; other parts of paths are words."""
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 addresses as IPv6 ones: RFC 6052."""
_GLOBAL = ipaddress.ip_network("2000::/3")
"""The only IPv6 addresses that are given to anybody: RFC 4291, 2.4, and the registry of IANA."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """The proxy for a server. url: None for no proxy. named_by: the variable or setting that names it. is_usable: False
    if it is not a proxy, or of a kind that we cannot use.
    """

    url: str | None = field(default=None, repr=False)
    named_by: str = ""
    is_usable: bool = True

    @property
    def shown(self) -> str:
        """For messages: without its user and password."""
        return f"{place_of(self.url or '')} (of {self.named_by})"


def proxy_of_environment(scheme: str, host: str, port: int | None) -> Proxy:
    """The proxy that the environment, or the system's settings, name for a server. host: an IPv6 address may have
    brackets, as in a URL.
    """
    if is_local(host):
        return Proxy()
    named = getproxies()
    kind = scheme if scheme in named else "all"
    if kind not in named or is_exempt(host, port or PORTS.get(scheme), named.get("no", "")):
        return Proxy()
    names = [name for name in (f"{kind}_proxy", f"{kind}_proxy".upper()) if os.environ.get(name)]
    variable = f"`{names[0]}`" if names else "the system's settings"
    address = named[kind] if "://" in named[kind] else f"http://{named[kind]}"
    return Proxy(url=address, named_by=variable, is_usable=is_proxy_address(address))


def is_proxy_address(address: str) -> bool:
    """Whether it is the address of a proxy that we can use, which means a plain HTTP one."""
    try:
        parts = urlsplit(address)
        is_whole = "@" not in f"{parts.path}{parts.query}{parts.fragment}"  # else the password has it unescaped
        return parts.scheme == "http" and bool(parts.hostname) and parts.port != 0 and is_whole
    except ValueError:  # an invalid port, half an IPv6 address
        return False


def place_of(url: str) -> str:
    """An address for messages: without user, password and query. Works for any text."""
    scheme, mark, rest = url.partition("://") if "://" in url else ("", "", url)
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    before, _, _ = re.split("[?#]", rest, maxsplit=1)[0].rpartition("@")
    # User and password may contain `/` and `@` unescaped, and the password `?`. Leaving out a host too is better than
    # showing a password.
    if "@" in authority or (":" in authority and "@" in rest) or ":" in before:
        rest = rest.rpartition("@")[2]
    return scheme + mark + re.split("[?#]", rest, maxsplit=1)[0]


def origin_of(url: str) -> str:
    """An address that is somebody else's, for messages: scheme, host and port; that there is more is said, not shown,
    since some servers have keys in their paths. Works for any text.
    """
    try:
        parts = urlsplit(url.strip())
        host = parts.netloc.rpartition("@")[2]
    except ValueError:  # half an IPv6 address
        return REDACTED
    # A password may have `/`, `?` and `#` in it unescaped: then its beginning stands where the host and the port do.
    is_cut = ":" in parts.netloc and "@" in f"{parts.path}{parts.query}{parts.fragment}" and "@" not in parts.netloc
    if not parts.scheme or not host or is_cut:
        return REDACTED
    has_more = parts.path not in ("", "/") or parts.query or parts.fragment
    return f"{parts.scheme}://{host}/{REDACTED}" if has_more else f"{parts.scheme}://{host}"


def keys_in(url: str) -> set[str]:
    """What may be keys in an address: the values of its query, and parts of its path that look like keys."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return set()
    values = [value for pair in parts.query.split("&") if (value := pair.partition("=")[2] or pair)]
    found = [*values, *(part for part in parts.path.split("/") if _may_be_key(part))]
    return {spelled for one in found for spelled in (one, unquote(one))}


def _may_be_key(part: str) -> bool:
    return len(part) >= _KEY_CHARACTERS and any(character.isdigit() for character in part)


def led_to(here: str, location: str) -> str | None:
    """Where a redirection from an address leads, in the words of its server; None for what is no address."""
    try:
        there = urljoin(here, location)
        return there if urlsplit(there).port != 0 else None
    except ValueError:  # half an IPv6 address, an invalid port
        return None


def is_local(host: str) -> bool:
    """Whether the name or address of an upstream can only mean this machine."""
    name = _bare(host)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    return address is not None and (address.is_loopback or address.is_unspecified)


def is_of_link(host: str) -> bool:
    """Whether an address means another server on each network, as that of a cloud's machines for what they are."""
    address = _address(_bare(host))
    return address is not None and address.is_link_local


def is_near(host: str) -> bool:
    """Whether an upstream is on this machine or has an address in a private network, so that calls are cheap."""
    address = _address(_bare(host))
    return is_local(host) or (address is not None and address.is_private)


def is_public(host: str) -> bool | None:
    """Whether an address is one that everybody reaches; None for what is no address but a name. An IPv6 address that
    stands for an IPv4 one is public if that is.
    """
    address = _address(_bare(host))
    if isinstance(address, ipaddress.IPv6Address):
        if address in _TRANSLATED:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        else:
            address = address.sixtofour or (address.teredo or (None, None))[1] or address
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL:
        return False
    return None if address is None else address.is_global and not address.is_multicast


def is_exempt(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether a server is in `no_proxy`. Its entries, separated by commas or blanks, are `*`, a domain with its
    subdomains, an address, or a network, each with or without a port.
    """
    name = _bare(host)
    address = _address(name)
    for entry in no_proxy.replace(",", " ").split():
        if entry == "*":
            return True
        pattern, only_port = _split(entry.lower())
        if only_port is not None and only_port != port:
            continue
        if address is not None:
            if _holds(pattern, address):
                return True
        elif name == (suffix := pattern.removeprefix("*").strip(".")) or (suffix and name.endswith(f".{suffix}")):
            return True
    return False


def _split(entry: str) -> tuple[str, int | None]:
    """`host:8080`, `[::1]:8080` or `::1` -> name or network, port."""
    if entry.startswith("["):
        inside, _, behind = entry[1:].partition("]")
        if behind.startswith("/"):
            inside += behind
        pattern, port = inside, behind.removeprefix(":")
    elif entry.count(":") == 1:
        pattern, _, port = entry.partition(":")
    else:
        return entry, None
    return pattern, int(port) if port.isdecimal() else None


def _holds(pattern: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(pattern, strict=False)
    except ValueError:  # a name
        return False


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _bare(host: str) -> str:
    return host.lower().removeprefix("[").removesuffix("]").rstrip(".").partition("%")[0]
