"""Whether an address may be listened on: whoever reaches a server may use it.

Knows hosts and what a run config says of its server; resolves names, and listens nowhere.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket

from runtime.config.sections import ServerConfig
from runtime.errors import ConfigInvalid, Problem

_OPTION, _SETTING = "--host", "server.host"


def check_exposure(chosen: str | None, server: ServerConfig) -> None:
    """A server stays on this machine unless clients must show a certificate or the run config says otherwise.

    chosen: a host from the command line, in place of the run config's. Raises ConfigInvalid, with `--host` as its path
    where that is at fault, also for a host that is no address of any kind.
    """
    host = chosen or server.host
    path, what = (_OPTION, "choice") if chosen else (_SETTING, "run config")
    try:
        is_local = is_loopback(host)
    except (OSError, ValueError) as error:  # no such name; or what no name can be: too long, an empty part
        words = error.strerror if isinstance(error, OSError) else str(error)
        problem = Problem(
            message=f"`{host}` is no address to listen on: {words}",
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
    """The names, beside this machine's, by which requests may be addressed to a server that listens on an address; None
    where it listens for other machines, and was not told by which names they know it.
    """
    return server.allowed_hosts if server.allowed_hosts or is_loopback(address) else None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine only, whatever it stands for. Raises OSError or ValueError for what is no host."""
    if not host:
        return False  # every address there is
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    found = {str(address[0]) for *_, address in socket.getaddrinfo(host, None)}
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in found)
