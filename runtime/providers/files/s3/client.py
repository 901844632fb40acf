"""How obstore reaches the bucket: the `network` settings in its words.
https://developmentseed.org/obstore/latest/api/store/config/
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies

from runtime.errors import Unavailable
from runtime.http.network import ProxySettings
from runtime.http.proxies import proxy_for
from runtime.http.timeouts import Timeouts
from runtime.providers.files.s3.config import S3FilesConfig
from runtime.providers.files.s3.network import S3Network

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_TIMEOUTS = Timeouts(connect_s=5.0, read_s=300.0, total_s=300.0)
"""Of one part, up or down."""
_RETRIES = 2
_AMAZON = "amazonaws.com"
_MACHINE = "169.254.0.0/16"
"""Where a machine in a cloud tells its role: never behind a proxy."""
_NOBODY = "http://127.0.0.1:9"
"""A proxy that nothing goes through. Without one, obstore takes what the environment names, by rules of its own."""


def client_options(config: S3FilesConfig) -> ClientConfig:
    """Raises Unavailable for a file of certificates that cannot be read, and a proxy that cannot be used."""
    network = config.network or S3Network()
    timeouts = network.timeout.over(_TIMEOUTS) if network.timeout else _TIMEOUTS
    assert timeouts.total_s is not None, "ours has one"
    options: ClientConfig = {
        "allow_http": config.address.startswith("http://"),
        "connect_timeout": _span(timeouts.connect_s),
        "read_timeout": _span(timeouts.read_s),
        "timeout": _span(timeouts.total_s),
        **_proxy(config.address, network.proxy),
    }
    if network.headers:
        options["default_headers"] = {name: value.get_secret_value() for name, value in network.headers.items()}
    if network.limits is not None and network.limits.max_keepalive_connections == 0:
        options["pool_max_idle_per_host"] = "0"
    if network.limits is not None and network.limits.keepalive_expiry is not None:
        options["pool_idle_timeout"] = _span(network.limits.keepalive_expiry)
    if network.tls is not None and network.tls.verify is False:
        options["allow_invalid_certificates"] = True
    if authorities := _authorities(network):
        options["root_certificate"] = authorities
    return options


def retry_config(network: S3Network | None) -> RetryConfig:
    """How often a request is sent again. Unless it is configured, there is time for it after a part that took long."""
    if network is None or network.retries is None:
        return {"max_retries": _RETRIES}
    return {"max_retries": network.retries.times, "retry_timeout": timedelta(seconds=network.retries.within)}


def _proxy(address: str, settings: ProxySettings | None) -> ClientConfig:
    url = urlsplit(address)
    host = url.hostname or ""
    found = proxy_for(url.scheme, host, url.port, settings)
    if not found.is_usable:
        raise Unavailable(
            f"`{host}` cannot be reached through the proxy that {found.named_by} names",
            hint=f"name one as in `http://proxy.example:3128`, or add {host} to `NO_PROXY`",
            code="proxy_not_usable",
        )
    if found.url is not None:
        return {"proxy_url": found.url, "proxy_excludes": _MACHINE}
    if getproxies():
        return {"proxy_url": _NOBODY, "proxy_excludes": f"{host},{_AMAZON},{_MACHINE}"}
    return {}


def _authorities(network: S3Network) -> bytes:
    """Certificates to trust beside the system's, PEM."""
    named = (network.tls and network.tls.verify, network.proxy and network.proxy.cacert)
    files = [file for file in named if isinstance(file, Path)]
    try:
        return b"\n".join(file.read_bytes() for file in files)
    except OSError as error:
        raise Unavailable(
            f"`{error.filename}` cannot be read: {error.strerror}", hint="its `network` settings name that"
        ) from error


def _span(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
