"""Asks servers for files: through the usual proxies and certificates, patiently, and with a token for one server alone.

Knows redirects, ranges, and which failure can pass. Knows no hub.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from email.message import Message
from threading import Event
from typing import TypeVar
from urllib.parse import quote, urljoin, urlsplit

from llama_cli.asking.reach import way_to
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import words
from runtime import __version__
from runtime.addresses import PORTS, is_local, place_of

T = TypeVar("T")

ATTEMPTS = 6
"""How often something is asked for that could still come: with the pauses between them, for half a minute."""
FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 60.0
_BETWEEN_READS_S = 60.0
_REDIRECTS, _MOST_REDIRECTS = (301, 302, 303, 307, 308), 10
_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_LARGEST_DOCUMENT = 64 * 2**20
_SAFE = "%/:=&?~#+!$,;'@()*[]"
"""What an address can have that is quoted already."""

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
    given_up: set when nothing more is wanted. waits: is told in words why and how long before something is tried again.
    """

    authorization: Mapping[str, str]
    given_up: Event
    waits: Callable[[str], None] = lambda text: None

    @contextmanager
    def open(self, url: str, *, first: int | None = None, last: int | None = None) -> Iterator[Response]:
        """The answer to a GET, its status 200 or 206. first, last: the bytes that are wanted, counted from 0 and both
        included.

        Raises Refused, BrokenOff, and Failure: USAGE for what is no address, NETWORK for a redirect that leads astray.
        """
        headers = {"User-Agent": f"llama/{__version__}", "Accept-Encoding": "identity", "Connection": "close"}
        if first is not None:
            headers["Range"] = f"bytes={first}-{'' if last is None else last}"
        for _ in range(_MOST_REDIRECTS):
            with ExitStack() as stack:
                response = self._answer(stack, url, headers)
                if response.status in (200, 206):
                    yield response
                    return
                if response.status not in _REDIRECTS or not response.headers.get("Location"):
                    raise Refused(place_of(url), response.status, response.headers, _start_of(response))
                url = _next(url, response.headers["Location"])
        raise Failure(f"{place_of(url)} is one redirect too many", code=ExitCode.NETWORK)

    def document(self, url: str) -> bytes:
        """All of a small answer. Raises as `open` does, after several tries, and Failure (NETWORK) for a large one."""

        def read() -> bytes:
            with self.open(url) as response:
                try:
                    found = response.read(_LARGEST_DOCUMENT + 1)
                except (OSError, http.client.HTTPException) as error:
                    raise BrokenOff(why(error)) from error
            if len(found) > _LARGEST_DOCUMENT:
                raise Failure(f"{place_of(url)} is larger than what it should be", code=ExitCode.NETWORK)
            return found

        return self.patiently(read, url)

    def patiently(self, work: Callable[[], T], url: str, *, has_come: Callable[[], float] = lambda: 0.0) -> T:
        """What `work` returns, tried again where it may come yet. has_come: grows where a try has brought something,
        and the count then begins anew. Raises Refused; Failure: NETWORK after the last try, INTERRUPTED.
        """
        tries, before = 0, has_come()
        while True:
            tries += 1
            try:
                return work()
            except (Refused, BrokenOff) as error:
                now = has_come()
                if isinstance(error, Unreachable) and now == 0:
                    raise error.failure from error
                if now > before:
                    tries, before = 1, now
                pause_s = min(_LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (tries - 1))
                reason = f"answered {error.status}" if isinstance(error, Refused) else str(error)
                if isinstance(error, Refused):
                    if error.status not in _AGAIN or tries >= ATTEMPTS:
                        raise
                    pause_s = pause_s if error.pause_s is None else min(_LONGEST_PAUSE_S, error.pause_s)
                elif tries >= ATTEMPTS:
                    raise Failure(
                        f"{place_of(url)} broke off {tries} times: {error}",
                        hint="what has come is kept: the same command goes on from there",
                        code=ExitCode.NETWORK,
                    ) from error
            self.waits(f"{reason}, again in {words.duration(max(1.0, pause_s))}")
            if self.given_up.wait(pause_s):
                raise Failure("interrupted", code=ExitCode.INTERRUPTED)

    def _answer(self, stack: ExitStack, url: str, headers: Mapping[str, str]) -> Response:
        """What one server says to one request; closed with the stack."""
        origin = origin_of(url)
        own = self.authorization.get(origin)
        parts = urlsplit(url)
        target = quote(f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}", safe=_SAFE)
        way = way_to(origin)
        sent = {**headers, **way.headers(), **({"Authorization": own} if own else {})}
        try:
            connection = stack.enter_context(closing(way.connection(_BETWEEN_READS_S)))
            connection.connect()
        except (OSError, http.client.HTTPException) as error:
            failure = way.broken(error)
            failure.code = ExitCode.NETWORK
            if way.proxy.url is None and is_local(way.host):
                failure.hint = "is that the address of a hub?"
            raise Unreachable(failure) from error
        try:
            connection.request("GET", way.target(target), headers=sent)
            return stack.enter_context(closing(connection.getresponse()))
        except (OSError, http.client.HTTPException) as error:
            raise BrokenOff(why(error)) from error


def origin_of(url: str) -> str:
    """`https://host:port`, the port also where it is the usual one. Raises Failure (USAGE) for what is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
        host = parts.hostname or ""
        host.encode("idna")  # as it is when its address is looked up
    except (ValueError, KeyError):
        host, port = "", 0
    if not host:
        message = f"`{place_of(url)}` is no address that files come from"
        raise Failure(message, hint="write it as in `https://huggingface.co`", code=ExitCode.USAGE)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def why(error: Exception) -> str:
    """What a connection's end is in words."""
    if isinstance(error, http.client.IncompleteRead):
        return "it ended early"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")


def _next(url: str, location: str) -> str:
    """Where a redirect leads; never from TLS to none, which nobody means. Raises Failure (NETWORK)."""
    try:
        target = urljoin(url, location)
        origin_of(target)
    except (ValueError, Failure) as error:
        message = f"{place_of(url)} leads to `{place_of(location)}`, which is no address that files come from"
        raise Failure(message, hint="is there something in between?", code=ExitCode.NETWORK) from error
    if url.startswith("https:") and not target.startswith("https:"):
        message = f"{place_of(url)} leads to {place_of(target)}, without TLS"
        raise Failure(message, hint="is there something in between?", code=ExitCode.NETWORK)
    return target


def _start_of(response: Response) -> bytes:
    try:
        return response.read(2000)
    except (OSError, http.client.HTTPException):
        return b""
