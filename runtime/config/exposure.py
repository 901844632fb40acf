"""Whether a server may listen on an address: everybody who can reach a server may use it.

Knows hosts and the `server` section of a run config. Resolves names; does not listen itself.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket

from runtime.config.sections import ServerConfig
from runtime.errors import ConfigInvalid, Problem

_OPTION, _SETTING = "--host", "server.host"


def check_exposure(chosen: str | None, server: ServerConfig) -> None:
    """Allow only this machine's own addresses, unless clients must show a certificate or the run config allows more.

    chosen: the host from the command line, which replaces the run config's. Raises ConfigInvalid, also for a host that
    is not an address at all; its path is `--host` if that option is wrong.
    """
    host = chosen or server.host
    path, what = (_OPTION, "choice") if chosen else (_SETTING, "run config")
    try:
        is_local = is_loopback(host)
    except (OSError, ValueError) as error:  # the name does not exist, or cannot exist: too long, an empty part
        words = error.strerror if isinstance(error, OSError) else str(error)
        problem = Problem(
            message=f"`{host}` is not an address to listen on: {words}",
            path=path,
            hint="use 127.0.0.1 for this machine only",
        )
        raise ConfigInvalid([problem], what=what) from error
    if not (is_local or server.tls_cafile or server.insecure):
        problem = Problem(
            message=f"`{host}` is open to other machines, and nobody has to prove who they are",
            path=path,
            hint="put a proxy with authentication before 127.0.0.1, ask for certificates with `server.tls_cafile`, or "
            "allow it with `server.insecure: true` in the run.yaml",
        )
        raise ConfigInvalid([problem], what=what)


def addressed_as(server: ServerConfig, address: str) -> list[str] | None:
    """The host names, besides this machine's own, that requests to a server on `address` may use. None (any name) if
    it listens for other machines and the run config does not say by which names they know it.
    """
    return server.allowed_hosts if server.allowed_hosts or is_loopback(address) else None


def is_loopback(host: str) -> bool:
    """Whether a host name or address only reaches this machine. Raises OSError or ValueError for what is not a host."""
    if not host:
        return False  # every address there is
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    found = {str(address[0]) for *_, address in socket.getaddrinfo(host, None)}
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in found)
