"""A call to another server as data, and the interfaces that send it.

Live calls and tests' implement `Transport.send(request, timeouts) -> Exchange`; recordings and faults stand `Between` a
provider's request and that. Imports no HTTP library.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import AsyncGeneratorType
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from runtime.addresses import PORTS
from runtime.http.timeouts import Timeouts
from runtime.sse import AsyncClosable, Json, encode

EVENT_STREAM = "text/event-stream"
NDJSON = "application/x-ndjson"


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A key for another server. is_callers: whether it came with the caller's request; otherwise it is configured."""

    value: str = field(repr=False)
    is_callers: bool = False


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A request to another server. Header names are in lower case.

    body: whole, or in parts; the sender always closes the iterator of the parts.
    size: the bytes of a body in parts; None sends it chunked. timeouts: None uses the client's own. key: the key that
    `Auth` added.
    """

    method: str
    url: str  # may contain a password or a key
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes | AsyncIterable[bytes] | None = None
    size: int | None = None
    timeouts: Timeouts | None = None
    key: Key | None = None

    def __repr__(self) -> str:
        """Without what may be secret."""
        return f"Outgoing(method={self.method!r}, size={self.size!r}, timeouts={self.timeouts!r})"

    @property
    def key_is_callers(self) -> bool:
        return self.key is not None and self.key.is_callers

    def with_headers(self, headers: Mapping[str, str], *, url: str | None = None, key: Key | None = None) -> Outgoing:
        """A copy with these headers added, which replace those of the same name; and with another address or key, if
        given.
        """
        return Outgoing(
            method=self.method, url=self.url if url is None else url, headers={**self.headers, **headers},
            body=self.body, size=self.size, timeouts=self.timeouts, key=key or self.key,
        )  # fmt: skip


class Exchange(Protocol):
    """An answer whose headers have arrived; its body is read from here. The receiver must close it.

    headers: looked up by names in lower case. proxy: the one that may have answered instead of the server, for
    messages; empty for none.
    """

    status: int
    headers: Mapping[str, str]

    @property
    def proxy(self) -> str: ...

    async def read(self) -> bytes:
        """The whole body. Raises UpstreamError if it ends early or is too large, UpstreamTimeout."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, one chunk for each read. Raises as `read` does."""
        ...

    async def close(self) -> None:
        """Release the connection for reuse, or close it if the body was not read to its end."""
        ...


class Transport(Protocol):
    """How a request reaches its server: over the network, from a recording, or not at all."""

    async def send(self, request: Outgoing, timeouts: Timeouts) -> Exchange:
        """Raises UpstreamError if there is no answer, UpstreamTimeout if it takes too long."""
        ...

    async def close(self) -> None: ...


GoOn = Callable[[Outgoing], Awaitable[Exchange]]


class Between(Protocol):
    """What stands between a provider's request, which has no key yet, and its server: may answer in its place, or look
    at what it answers.
    """

    async def __call__(self, request: Outgoing, go_on: GoOn) -> Exchange:
        """go_on: authenticates a request and sends it. Raises what that does, and errors of its own."""
        ...


async def close_parts(body: object) -> None:
    """Close a body in parts, also before its first part; a second call does no harm. A generator that is running is
    left to the task that runs it, which was cancelled.
    """
    if isinstance(body, AsyncClosable) and not (isinstance(body, AsyncGeneratorType) and body.ag_running):
        await body.aclose()


def json_request(
    url: str,
    body: Json | None,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    timeouts: Timeouts | None = None,
) -> Outgoing:
    """A request with one JSON object; None for a request without a body."""
    if body is None:
        return Outgoing(method=method, url=url, headers=headers or {}, timeouts=timeouts)
    typed = {"content-type": "application/json", **(headers or {})}
    return Outgoing(method=method, url=url, headers=typed, body=encode(body), timeouts=timeouts)


def media_type(headers: Mapping[str, str]) -> str:
    """What kind of a body comes with these headers, in lower case and without parameters; empty if they do not say."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def host_header(url: str) -> str:
    """The host of an address as a client sends it: with a port that is not the scheme's own."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in (None, PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def server_of(url: str) -> str:
    """Scheme, host and port of an address, the port only where it is not the scheme's own; empty if it has none."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{host_header(url)}" if parts.hostname else ""
    except ValueError:
        return ""


def host_of(url: str) -> str:
    """The host of an address; empty if it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
