"""A provider's aiohttp session: its connections, how long they live, and its TLS."""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

from runtime.http.live.connector import Connector
from runtime.http.network import LimitSettings, Network
from runtime.http.refusals import Call
from runtime.http.tls import TlsSettings
from runtime.http.transport import Outgoing

_HEADER_BYTES = 64 * 1024
"""The longest header line of an answer: some vendors send content security policies of more than 10 kB."""
IDLE_S = {"http": 4.0, "https": 15.0}
"""How long a connection may be idle before it is no longer used. uvicorn (so vLLM), llama.cpp and Node close theirs
after 5 s: a POST that is sent at that moment is lost, and must not be sent again. TLS connections cost more, and live
longer.
"""


class Sessions:
    """resolver: what looks up names; None for aiohttp's own. current: the session for the next request; None before the
    first. tls_behind_proxy: for requests through one.
    """

    def __init__(self, provider_id: str, network: Network, resolver: AbstractResolver | None = None) -> None:
        self._provider_id = provider_id
        self._network = network
        self._resolver = resolver
        self._reuses = True
        self._opened: list[aiohttp.ClientSession] = []
        self.current: aiohttp.ClientSession | None = None
        self.tls_behind_proxy: ssl.SSLContext | bool = True

    def open(self, request: Outgoing) -> aiohttp.ClientSession:
        """Open a session for requests like this one.

        Raises UpstreamError if the files of the TLS settings are no longer valid.
        """
        tls, proxy = self._network.tls, self._network.proxy
        try:
            if proxy is not None and proxy.cacert is not None:
                self.tls_behind_proxy = (tls or TlsSettings()).context(authorities=proxy.cacert)
            # aiohttp has one for all: to load the certificates again takes 20 ms and a megabyte.
            context = tls.context() if tls is not None else True
        except ValueError as error:
            words = f"cannot be called: the TLS settings of its config: {error}"
            raise Call(self._provider_id, request).failed(words, code="tls_settings") from error
        limits = self._network.limits or LimitSettings()
        idle_s = limits.keepalive_expiry
        if idle_s is None:
            idle_s = IDLE_S["https" if request.url.startswith("https:") else "http"]
        reuses = self._reuses and limits.max_keepalive_connections != 0
        again: dict[str, Any] = {"keepalive_timeout": idle_s} if reuses else {"force_close": True}
        self.current = aiohttp.ClientSession(
            connector=Connector(
                limit=limits.max_connections or 0, ssl=context, ttl_dns_cache=60, resolver=self._resolver, **again
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("accept", "user-agent"),
            # Some servers compress unless the request says not to.
            headers={"user-agent": "llama-stack", "accept-encoding": "identity"},
            auto_decompress=False,
            read_bufsize=256 * 1024,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
        )
        self._opened.append(self.current)
        return self.current

    def stop_reuse(self) -> None:
        """From now on each request has a connection of its own."""
        if self._reuses:
            self._reuses, self.current = False, None

    async def close(self) -> None:
        opened, self._opened, self.current = self._opened, [], None
        for session in opened:
            await session.close()
