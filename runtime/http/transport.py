"""A call to another server as data, and the seam below it.

`Transport.send(request, timeouts) -> Exchange` is where live calls, recordings and injected faults take each other's
place. Imports no HTTP library.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import AsyncGeneratorType
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from runtime.http.timeouts import Timeouts
from runtime.sse import Json, encode


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A key for another server. is_callers: whether the caller brought it with the request; else it is configured."""

    value: str = field(repr=False)
    is_callers: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """A request to another server. Names of headers are in small letters.

    body: whole, or in parts; the sender closes the iterator of its parts, however the call ends.
    size: of a body in parts, in bytes; None sends it chunked. timeouts: None takes the client's own. key: what it was
    authenticated with, filled in by `Auth`.
    """

    method: str
    url: str = field(repr=False)  # which may hold a password or a key
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | AsyncIterable[bytes] | None = field(default=None, repr=False)
    size: int | None = None
    timeouts: Timeouts | None = None
    key: Key | None = None

    @property
    def key_is_callers(self) -> bool:
        return self.key is not None and self.key.is_callers

    def with_headers(self, headers: Mapping[str, str], *, url: str | None = None, key: Key | None = None) -> Outgoing:
        """A copy with these headers added, which win over those it has; and with another address or key, if given."""
        return Outgoing(
            method=self.method, url=self.url if url is None else url, headers={**self.headers, **headers},
            body=self.body, size=self.size, timeouts=self.timeouts, key=key or self.key,
        )  # fmt: skip


class Exchange(Protocol):
    """An answer whose headers have come and whose body is still on its way. Whoever holds it closes it.

    proxy: the proxy that may have given it in the server's place, as messages may show it; empty for none.
    """

    status: int
    headers: Mapping[str, str]

    @property
    def proxy(self) -> str: ...

    async def read(self) -> bytes:
        """The whole body. Raises UpstreamError where it breaks off or is too large, UpstreamTimeout."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, as much at a time as one read brings. Raises as `read` does."""
        ...

    async def close(self) -> None:
        """Give the connection back, or end it where the body was not read to its end."""
        ...


class Transport(Protocol):
    """How a request reaches its server: over the network, from a recording, or not at all."""

    async def send(self, request: Outgoing, timeouts: Timeouts) -> Exchange:
        """Raises UpstreamError where no answer came, UpstreamTimeout where it took too long."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Closes(Protocol):
    """An iterator that holds something until it is closed, as async generators do."""

    async def aclose(self) -> None: ...


async def close_parts(body: object) -> None:
    """Close a body that comes in parts, begun or not; again does no harm. One that runs is left to the sending that it
    runs in, which has been cancelled.
    """
    if isinstance(body, Closes) and not (isinstance(body, AsyncGeneratorType) and body.ag_running):
        await body.aclose()


def json_request(
    url: str, body: Json, *, headers: Mapping[str, str] | None = None, timeouts: Timeouts | None = None
) -> Outgoing:
    """A POST of one JSON object."""
    typed = {"content-type": "application/json", **(headers or {})}
    return Outgoing(method="POST", url=url, headers=typed, body=encode(body), timeouts=timeouts)


def place_of(url: str) -> str:
    """An address as it may be shown: without user, password and query. It need not be one."""
    scheme, mark, rest = url.partition("://") if "://" in url else ("", "", url)
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    # A password may hold `/`, `?` and `@` unescaped. Better a host too many left out than one shown.
    if "@" in authority or (":" in authority and "@" in rest):
        rest = rest.rpartition("@")[2]
    return scheme + mark + re.split("[?#]", rest, maxsplit=1)[0]


def host_of(url: str) -> str:
    """The host of an address; empty for what is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
