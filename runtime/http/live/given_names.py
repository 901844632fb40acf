"""Looks up names that users give, and refuses those with an address that is not public, so that no connection leads
there.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from aiohttp.abc import AbstractResolver, ResolveResult

from runtime.addresses import is_public
from runtime.http.lookups import look_up


class GivenNames(AbstractResolver):
    """only_public: whether it refuses. is_proxy: whether a host is a proxy of ours, which may be anywhere."""

    def __init__(self, *, only_public: bool, is_proxy: Callable[[str], bool]) -> None:
        self._only_public = only_public
        self._is_proxy = is_proxy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError for a name that is not known, and if one of its addresses may not be asked."""
        found = await look_up(host, port, family)
        if self._only_public and not self._is_proxy(host) and not all(is_public(one[4][0]) for one in found):
            raise OSError(None, f"`{host}` is not at a public address")
        return [
            ResolveResult(
                hostname=host, host=_with_scope(*address), port=port, family=kind, proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]  # fmt: skip

    async def close(self) -> None:
        pass


def _with_scope(host: str, port: int, flow: int = 0, scope: int = 0) -> str:
    """An IPv6 address that is valid on one link only names it."""
    return f"{host}%{scope}" if scope else host
