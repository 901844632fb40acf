"""Looks names up, and refuses those with an address that is not public, so that no connection leads there."""

from __future__ import annotations

import socket
from collections.abc import Callable

from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from runtime.addresses import is_public


class PublicResolver(ThreadedResolver):
    """is_proxy: whether a host is a proxy of ours, which may be anywhere."""

    def __init__(self, is_proxy: Callable[[str], bool]) -> None:
        super().__init__()
        self._is_proxy = is_proxy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError if one of its addresses is not public."""
        found = await super().resolve(host, port, family)
        if not self._is_proxy(host) and not all(is_public(one["host"]) for one in found):
            raise OSError(None, f"`{host}` is not at a public address")
        return found
