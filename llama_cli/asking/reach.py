"""The way to a server: its address taken apart, the proxy before it, the connection that leads there.

Also says why there is none, with the host, the proxy in use and the setting that changes it. Knows no route and no
answer. TLS trusts what the system trusts, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name (OpenSSL reads them itself).
"""

from __future__ import annotations

import base64
import http.client
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from llama_cli.exits import ExitCode, Failure
from runtime.addresses import PORTS, Proxy, is_local, proxy_of_environment

KEY_VARIABLE = "LLAMA_STACK_API_KEY"
"""Where the key of a server is taken from; OpenAI's variable is the vendor's, and goes to no server."""

_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a server is reached. url: its address as given; prefix: the path before `/v1`; port: None for the usual."""

    url: str
    scheme: str
    host: str
    port: int | None
    prefix: str
    proxy: Proxy

    @property
    def place(self) -> str:
        """Host and port, as they stand in an address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def root(self) -> str:
        """The address of the server, without `/v1`."""
        return f"{self.scheme}://{self.place}{self.prefix}"

    def connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """Not connected yet. Raises Failure (NETWORK) for a proxy of a kind that we cannot use."""
        kind = http.client.HTTPSConnection if self.scheme == "https" else http.client.HTTPConnection
        if self.proxy.url is None:
            return kind(self.host, self.port, timeout=timeout_s)
        if not self.proxy.is_usable:
            message = f"`{self.host}` is behind {self.proxy.shown}, which is no plain HTTP proxy"
            raise Failure(message, hint=self._past_the_proxy(), code=ExitCode.NETWORK)
        through = urlsplit(self.proxy.url)
        connection = kind(through.hostname or "", through.port or 80, timeout=timeout_s)
        if self.scheme == "https":
            connection.set_tunnel(self.host, self.port or 443, headers=self._for_the_proxy())
        return connection

    def target(self, path: str) -> str:
        """What the first line of a request asks for: a proxy of plain HTTP is told the whole address."""
        whole = self.prefix + path
        return f"http://{self.place}{whole}" if self._is_told_to_a_proxy else whole

    def headers(self) -> dict[str, str]:
        """What a request needs on this way."""
        return self._for_the_proxy() if self._is_told_to_a_proxy else {}

    @property
    def _is_told_to_a_proxy(self) -> bool:
        return self.proxy.url is not None and self.scheme == "http"

    def _for_the_proxy(self) -> dict[str, str]:
        parts = urlsplit(self.proxy.url or "")
        if parts.username is None:
            return {}
        both = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return {"proxy-authorization": f"Basic {base64.b64encode(both.encode()).decode()}"}

    def _past_the_proxy(self) -> str:
        return f"correct {self.proxy.named_by}, or leave the proxy out for this host: `NO_PROXY={self.host}`"

    def refused_by_the_proxy(self) -> Failure:
        """The failure that a proxy's `407` is."""
        message = f"the proxy {self.proxy.shown} does not let us through to `{self.host}`"
        hint = "put user and password into its address: `http://USER:PASSWORD@HOST:PORT`"
        return Failure(message, hint=hint, code=ExitCode.NETWORK)

    def broken(self, error: OSError | http.client.HTTPException) -> Failure:
        """The failure that it is when no answer comes over this way."""
        why = _words(error)
        if getattr(error, "verify_code", None):  # `ssl` is not imported for the sake of a name
            message = f"the certificate of `{self.host}` is not trusted: {getattr(error, 'verify_message', why)}"
            return Failure(message, hint=_about_authorities(), code=ExitCode.NETWORK)
        if self.proxy.url is not None:
            if "407" in why:
                return self.refused_by_the_proxy()
            message = f"`{self.host}` cannot be reached through the proxy {self.proxy.shown}: {why}"
            return Failure(message, hint=self._past_the_proxy(), code=ExitCode.NETWORK)
        if isinstance(error, socket.gaierror):
            hint = "look at its spelling; behind a proxy, set `HTTPS_PROXY`"
            return Failure(f"there is no host `{self.host}`: {why}", hint=hint, code=ExitCode.NETWORK)
        hint = "see what runs with `llama stack ps`" if is_local(self.host) else "behind a proxy, set `HTTPS_PROXY`"
        if type(error).__module__ == "ssl":
            hint = "a server without TLS has an address with `http://`"
        return Failure(f"nothing answers at {self.url}: {why}", hint=hint, code=ExitCode.UNHEALTHY)


def way_to(url: str) -> Way:
    """The way to an address, with or without `http://` at its front and `/v1` at its end. Raises Failure (USAGE) for
    what is no address of a server.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError:  # a port that is no number, a bracket that is not closed
        raise no_address(url) from None
    if parts.username is not None:
        # Not shown, since it can hold a password.
        message = "the address of a server takes no user and password"
        raise Failure(message, hint=f"set `{KEY_VARIABLE}`", code=ExitCode.USAGE)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise no_address(url)
    prefix = parts.path.rstrip("/").removesuffix("/v1")
    proxy = proxy_of_environment(parts.scheme, parts.hostname, port)
    return Way(url=url, scheme=parts.scheme, host=parts.hostname, port=port, prefix=prefix, proxy=proxy)


def leads_to(url: str, server: str) -> bool:
    """Whether an address is another's, however this machine is called in them. Raises Failure (USAGE) as `way_to` does
    for the first; a second that is no address leads nowhere.
    """
    one = way_to(url)
    try:
        other = way_to(server)
    except Failure:
        return False
    is_same_host = one.host == other.host or (is_local(one.host) and is_local(other.host))
    apart = [(way.scheme, way.port or PORTS[way.scheme], way.prefix) for way in (one, other)]
    return is_same_host and apart[0] == apart[1]


def no_address(url: str) -> Failure:
    """The failure that a text is where an address was expected."""
    hint = "write it as in `http://127.0.0.1:8321`"
    return Failure(f"`{url}` is not the address of a server", hint=hint, code=ExitCode.USAGE)


def _words(error: OSError | http.client.HTTPException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _about_authorities() -> str:
    for name in _AUTHORITIES:
        given = os.environ.get(name)
        if given and not Path(given).exists():
            return f"`{name}` names `{given}`, which is not there"
    named = [name for name in _AUTHORITIES if os.environ.get(name)]
    return (
        f"is its authority in {' or '.join(f'`{name}`' for name in named)}?"
        if named
        else ("name your CA bundle: `SSL_CERT_FILE=FILE`")
    )
