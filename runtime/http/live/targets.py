"""Where a request really goes: its address as aiohttp takes it, and the proxy on the way."""

from __future__ import annotations

import logging

from yarl import URL

from runtime.addresses import Proxy
from runtime.http.network import ProxySettings
from runtime.http.proxies import proxy_for
from runtime.http.refusals import Call
from runtime.http.transport import Outgoing, host_of

log = logging.getLogger(__name__)
NO_PROXY = Proxy()
_MAX_TARGETS = 256
"""How many addresses are remembered with their proxy."""


class Targets:
    """known: what was found out for addresses called before."""

    def __init__(self, provider_id: str, settings: ProxySettings | None) -> None:
        self._provider_id = provider_id
        self._settings = settings
        self._reported: set[str] = set()  # variables with a proxy that cannot be used, already logged
        self._is_user_reported = False
        self.known: dict[str, tuple[URL, Proxy]] = {}

    def find(self, request: Outgoing) -> tuple[URL, Proxy]:
        """The address to call and its proxy; remembered for the next request to the same address."""
        url = URL(request.url, encoded=True)
        if url.raw_user is not None:
            return self._without_user(url, request), self._proxy(url, request)
        if len(self.known) >= _MAX_TARGETS:
            self.known.clear()
        target = self.known[request.url] = url, self._proxy(url, request)
        return target

    def is_proxy(self, host: str) -> bool:
        """Whether a host is the proxy of an address that was called."""
        return any(proxy.url is not None and host_of(proxy.url) == host for _, proxy in self.known.values())

    def _proxy(self, url: URL, request: Outgoing) -> Proxy:
        """The proxy for an address. Raises UpstreamError if the environment names one that we cannot use: without it,
        the request and its key would be sent directly, against the user's settings.
        """
        found = proxy_for(url.scheme, url.raw_host or "", url.port, self._settings)
        if not found.is_usable:
            if found.named_by not in self._reported:
                self._reported.add(found.named_by)
                log.warning(
                    "the proxy of a variable cannot be used",
                    extra={"provider_id": self._provider_id, "variable": found.named_by},
                )
            raise Call(self._provider_id, request).failed(
                f"cannot be reached through the proxy that {found.named_by} names",
                code="proxy_not_usable",
                hint=f"name one as in `http://proxy.example:3128`, or add {url.raw_host} to `NO_PROXY`",
            )
        return found

    def _without_user(self, url: URL, request: Outgoing) -> URL:
        """The address, without `user:password@` if there is a key: both would be an `Authorization` header."""
        if "authorization" not in request.headers:
            return url
        if not self._is_user_reported:
            self._is_user_reported = True
            log.warning(
                "the user and password of an address are not sent, since there is a key",
                extra={"provider_id": self._provider_id},
            )
        return url.with_user(None)
