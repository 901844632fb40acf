"""Asks servers for files: through the usual proxies and certificates, patiently, and with a token for one server alone.

Knows HTTP as the standard library speaks it. Knows no hub.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from threading import Event
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

from llama_cli.console import ExitCode, Failure
from runtime import __version__

T = TypeVar("T")

ATTEMPTS = 6
"""How often something is asked for that could still come: with the pauses between them, for half a minute."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 60.0
_BETWEEN_READS_S = 60.0
_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_LARGEST_DOCUMENT = 64 * 2**20

Response = http.client.HTTPResponse


class Refused(Exception):
    """A server has answered with a status that is no success. shown: the address without what may be secret."""

    def __init__(self, shown: str, status: int, headers: Message, body: bytes) -> None:
        super().__init__(f"{shown} answered {status}")
        self.shown = shown
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def code(self) -> str:
        """The hub's own word for what is wrong."""
        return self.headers.get("X-Error-Code", "")

    @property
    def words(self) -> str:
        said = self.headers.get("X-Error-Message") or self.body[:200].decode("utf-8", "replace")
        return " ".join(said.split())

    @property
    def pause_s(self) -> float | None:
        """How long the server asks to wait."""
        stated = self.headers.get("Retry-After", "").strip()
        return float(stated) if stated.isdecimal() else None


class BrokenOff(Exception):
    """A connection that ended before its answer did, or took too long."""


class Unreachable(BrokenOff):
    """No connection was made: a passing matter where one was made before, else for the user to correct."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, kw_only=True)
class Web:
    """How one download asks. authorization: a header's value, by the origin (`https://host:port`) that may see it.
    given_up: set when nothing more is wanted. attempts, first_pause_s: how patient it is.
    """

    authorization: Mapping[str, str]
    given_up: Event
    attempts: int = ATTEMPTS
    first_pause_s: float = _FIRST_PAUSE_S

    def open(self, url: str, *, first: int | None = None, last: int | None = None) -> Response:
        """The answer to a GET, its status 200 or 206; to be closed. first, last: the bytes that are wanted, counted
        from 0 and both included.

        Raises Refused, BrokenOff, and Failure (USAGE) for what is no such address.
        """
        headers = {"User-Agent": f"llama/{__version__}", "Accept-Encoding": "identity"}
        if first is not None:
            headers["Range"] = f"bytes={first}-{'' if last is None else last}"
        request = urllib.request.Request(url, headers=headers)  # noqa: S310  # the scheme is checked
        if origin_of(url).partition(":")[0] not in ("http", "https"):
            raise Failure(f"`{shown(url)}` is no address that files come from", code=ExitCode.USAGE)
        self._authorize(request)
        try:
            return self._opener.open(request, timeout=_BETWEEN_READS_S)  # type: ignore[no-any-return]
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(shown(url), error.code, error.headers, error.read(2000)) from None
        except urllib.error.URLError as error:
            raise _unreachable(url, error.reason) from error
        except http.client.InvalidURL as error:
            raise Failure(f"`{shown(url)}` is no address that files come from", code=ExitCode.USAGE) from error
        except (OSError, http.client.HTTPException) as error:
            raise BrokenOff(_why(error)) from error

    def document(self, url: str) -> bytes:
        """All of a small answer. Raises as `open` does, after several tries, and Failure (NETWORK) for a large one."""

        def read() -> bytes:
            with self.open(url) as response:
                try:
                    found = response.read(_LARGEST_DOCUMENT + 1)
                except (OSError, http.client.HTTPException) as error:
                    raise BrokenOff(_why(error)) from error
            if len(found) > _LARGEST_DOCUMENT:
                raise Failure(f"{shown(url)} is larger than what it should be", code=ExitCode.NETWORK)
            return found

        return self.patiently(read, url)

    def patiently(self, work: Callable[[], T], url: str, *, has_come: Callable[[], float] = lambda: 0.0) -> T:
        """What `work` returns, tried again where it may come yet. has_come: grows where a try has brought something,
        and the count then begins anew. Raises Refused, and Failure (NETWORK) after the last try.
        """
        tries, before = 0, has_come()
        while True:
            tries += 1
            try:
                return work()
            except (Refused, BrokenOff) as error:
                now = has_come()
                if isinstance(error, Unreachable) and (now == 0 or tries >= self.attempts):
                    raise error.failure from error
                if now > before:
                    tries, before = 1, now
                pause_s = min(_LONGEST_PAUSE_S, self.first_pause_s * 2 ** (tries - 1))
                if isinstance(error, Refused):
                    if error.status not in _AGAIN or tries >= self.attempts:
                        raise
                    pause_s = pause_s if error.pause_s is None else min(_LONGEST_PAUSE_S, error.pause_s)
                elif tries >= self.attempts:
                    raise Failure(
                        f"{shown(url)} broke off {tries} times: {error}",
                        hint="what has come is kept: the same command goes on from there",
                        code=ExitCode.NETWORK,
                    ) from error
            if self.given_up.wait(pause_s):
                raise Failure("interrupted", code=ExitCode.INTERRUPTED)

    @cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        return urllib.request.build_opener(_Proxies(), _Redirects(self))

    def _authorize(self, request: urllib.request.Request) -> None:
        value = self.authorization.get(origin_of(request.full_url))
        if value is not None:
            # Not passed on by a redirect: the next server gets its own or none.
            request.add_unredirected_header("Authorization", value)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect, the token only where it belongs, and never from TLS to none."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            message = f"{shown(req.full_url)} leads to {shown(newurl)}, without TLS"
            raise Failure(message, hint="is there something in between?", code=ExitCode.NETWORK)
        follow = super().redirect_request(req, fp, code, msg, headers, newurl)
        if follow is not None:
            self._web._authorize(follow)
        return follow


class _Proxies(urllib.request.ProxyHandler):
    """The proxies of the environment; `all_proxy` too, and never for this machine itself."""

    def __init__(self) -> None:
        super().__init__(proxies())

    def proxy_open(self, req: urllib.request.Request, proxy: str, type: str) -> Any:
        if is_this_machine(urlsplit(req.full_url).hostname or ""):
            return None
        return super().proxy_open(req, proxy, type)


def proxies() -> dict[str, str]:
    """The proxy by scheme."""
    named = urllib.request.getproxies()
    for_all = dict.fromkeys(("http", "https"), named["all"]) if "all" in named else {}
    return for_all | {scheme: address for scheme, address in named.items() if scheme in ("http", "https")}


def is_this_machine(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.") or host.endswith(".localhost")


def origin_of(url: str) -> str:
    """`https://host:port`, the port also where it is the usual one."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or {'http': 80, 'https': 443}.get(parts.scheme)}"


def shown(url: str) -> str:
    """An address for messages: what follows a question mark can be a signature, and a user can have a password."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def _unreachable(url: str, reason: object) -> BrokenOff:
    host, scheme = urlsplit(url).hostname or "", urlsplit(url).scheme
    if isinstance(reason, TimeoutError | ConnectionResetError):
        return BrokenOff(_why(reason))
    proxy = proxies().get(scheme)
    is_used = proxy is not None and not is_this_machine(host) and not urllib.request.proxy_bypass(host)
    by = f" through the proxy {shown(proxy if '://' in proxy else f'http://{proxy}')}" if proxy and is_used else ""
    hint = f"set `{scheme.upper()}_PROXY` where there is a proxy, or `HF_ENDPOINT` where the hub has a mirror"
    if is_used:
        hint = f"the proxy is that of `{scheme}_proxy`; `NO_PROXY={host}` goes around it"
    if type(reason).__module__ == "ssl":
        hint = "where a company has certificates of its own, name them with `SSL_CERT_FILE`"
    return Unreachable(Failure(f"cannot reach {host}{by}: {_why(reason)}", hint=hint, code=ExitCode.NETWORK))


def _why(reason: object) -> str:
    return (getattr(reason, "strerror", None) or str(reason) or type(reason).__name__).rstrip(".")
