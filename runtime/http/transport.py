"""A call to another server as data, and the seam below it.

`Transport.send(request) -> Exchange` is where live calls, recordings and injected faults take each other's place.
Imports no HTTP library.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from runtime.sse import Json, encode


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """In seconds. read_s: the longest silence between two reads, which for a stream is the time to the next token."""

    connect_s: float = 10.0
    read_s: float = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """A request to another server. timeouts: None takes the client's own. is_stream: whether it asks for a stream."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeouts: Timeouts | None = None
    is_stream: bool = False


class Exchange(Protocol):
    """An answer whose headers have come and whose body is still on its way. Whoever holds it closes it.

    by_way_of: a proxy that may have given it in the server's place, for messages; empty where there is none.
    """

    status: int
    headers: Mapping[str, str]
    by_way_of: str

    async def read(self) -> bytes: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, as much at a time as one read brings."""
        ...

    async def close(self) -> None:
        """Give the connection back, or end it where the body was not read to its end."""
        ...


class Transport(Protocol):
    """How a request reaches its server: over the network, from a recording, or not at all."""

    async def send(self, request: Outgoing, timeouts: Timeouts) -> Exchange: ...

    async def close(self) -> None: ...


def json_request(url: str, body: Json, *, headers: Mapping[str, str], timeouts: Timeouts | None = None) -> Outgoing:
    """A POST of one JSON object."""
    typed = {"content-type": "application/json", **headers}
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
