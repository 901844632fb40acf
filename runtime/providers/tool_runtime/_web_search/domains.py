"""Domains, and which addresses are of one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_is_domain = re.compile(rf"{_LABEL}(\.{_LABEL})*").fullmatch


def domain_of(given: str) -> str | None:
    """A domain as it is compared: `https://Example.com/` and `*.example.com` are `example.com`; None for what is none.
    An address with a path is none: it means less than its domain.
    """
    bare = given.strip().partition("://")[2] or given.strip()
    bare = bare.removesuffix("/").removeprefix("*.").removeprefix(".").removesuffix(".").lower()
    try:
        ascii_only = bare.encode("idna").decode() if not bare.isascii() else bare
    except UnicodeError:
        return None
    return ascii_only if len(ascii_only) <= 253 and _is_domain(ascii_only) else None


def is_within(url: str, domains: Iterable[str]) -> bool:
    """Whether an address is of one of these domains, or of one below it."""
    try:
        host = domain_of(urlsplit(url).hostname or "")
    except ValueError:
        return False
    return host is not None and any(host == domain or host.endswith(f".{domain}") for domain in domains)
