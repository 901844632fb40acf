"""Which proxy a request uses: that of the config or of the environment, or none. Imports no HTTP library."""

from __future__ import annotations

from runtime.addresses import PORTS, Proxy, is_exempt, is_of_link, proxy_of_environment
from runtime.http.network import ProxySettings


def proxy_for(scheme: str, host: str, port: int | None, settings: ProxySettings | None = None) -> Proxy:
    """The proxy for a server. host: an IPv6 address may have brackets, as in a URL. None for an address of the link:
    a proxy would ask its own, such as its machine for who that is in its cloud.
    """
    if is_of_link(host):
        return Proxy()
    if settings is not None:
        if is_exempt(host, port or PORTS.get(scheme), ",".join(settings.no_proxy)):
            return Proxy()
        named_by, address = settings.setting_for(scheme)
        if address is not None:
            return Proxy(url=address, named_by=f"`network.proxy.{named_by}`") if address else Proxy()
    return proxy_of_environment(scheme, host, port)
