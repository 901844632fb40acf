"""What lies at an address that a user gives: read from public servers only, also after a redirection; which those are:
`given_addresses.py`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runtime.addresses import led_to, origin_of
from runtime.errors import TooLarge, UpstreamError
from runtime.http.client import HttpClient
from runtime.http.data_addresses import is_data_address, read_data_address
from runtime.http.given_addresses import checked_address, unreadable
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Exchange, Outgoing

_MAX_REDIRECTIONS = 5
_ADDRESS = re.compile(r"\s*(?:https?|data|file):\S+\s*", re.IGNORECASE)
REDIRECTIONS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class WebPage:
    """content_type: as the server says it, without parameters; empty where it does not. url: where it was found; empty
    for what was in the address.
    """

    content: bytes
    content_type: str
    url: str


def is_address(text: str) -> bool:
    """Whether a text is an address and nothing else: of a page, of data, or of a file, which is refused when read."""
    return _ADDRESS.fullmatch(text) is not None


class Pages:
    """http: the provider's client, whose keys and headers are not sent. allow_private: whether addresses of this
    machine and of private networks are read too; allowed_by: the setting that says so, for messages.
    """

    def __init__(self, http: HttpClient, *, allow_private: bool, allowed_by: str) -> None:
        self._http = http.for_others(only_public=not allow_private, are_given=True)
        self._allow_private = allow_private
        self._allowed_by = allowed_by

    async def read(self, url: str, *, limit_bytes: int, timeout_s: float) -> WebPage:
        """All of what an address leads to. Raises RequestError for an address that is none, that is not public, or that
        cannot be read, and TooLarge.
        """
        url = url.strip()
        if is_data_address(url):
            data = read_data_address(url, limit_bytes=limit_bytes)
            return WebPage(data.content, data.content_type, "")
        content = bytearray()

        async def keep(chunk: bytes) -> None:
            content.extend(chunk)

        found = await self.fetch(url, keep, limit_bytes=limit_bytes, timeout_s=timeout_s)
        return WebPage(bytes(content), found.content_type, found.url)

    async def fetch(
        self, url: str, keep: Callable[[bytes], Awaitable[None]], *, limit_bytes: int, timeout_s: float
    ) -> WebPage:
        """The same of what is too large to hold, for an address of the web: the page is empty, and `keep` is called
        with its bytes. Raises RequestError and TooLarge as `read` does, and what `keep` raises.
        """
        try:
            async with asyncio.timeout(timeout_s):
                for _ in range(_MAX_REDIRECTIONS + 1):
                    address = await checked_address(
                        url,
                        connections=self._http.connections,
                        allow_private=self._allow_private,
                        allowed_by=self._allowed_by,
                    )
                    request = Outgoing(method="GET", url=address, timeouts=Timeouts(read_s=timeout_s))
                    exchange = await self._http.exchange(request, redirects=True)
                    try:
                        if exchange.status not in REDIRECTIONS:
                            return WebPage(b"", await received(exchange, address, keep, limit_bytes), address)
                        if (there := led_to(address, exchange.headers.get("location", ""))) is None:
                            raise unreadable(url, "it leads on to what is no address")
                        url = there
                    finally:
                        await exchange.close()
        except TimeoutError:
            raise unreadable(url, f"it took longer than {timeout_s:g} s") from None
        except UpstreamError as error:
            raise unreadable(url, error.message) from error
        raise unreadable(url, f"it leads on more than {_MAX_REDIRECTIONS} times")


async def received(exchange: Exchange, url: str, keep: Callable[[bytes], Awaitable[None]], limit_bytes: int) -> str:
    """Keep what a server sends; returns its content type, without parameters. Raises RequestError for an answer that is
    no page, TooLarge.
    """
    if exchange.status != 200:
        raise unreadable(url, f"its server answered {exchange.status}")
    if (encoding := exchange.headers.get("content-encoding", "identity").lower()) != "identity":
        raise unreadable(url, f"its content encoding is `{encoding[:40]}`, which was not asked for")
    size = 0
    async for chunk in exchange.chunks():
        size += len(chunk)
        if size > limit_bytes:
            raise TooLarge(f"`{origin_of(url)}` has more than {limit_bytes} bytes", code="document_over_limit")
        await keep(chunk)
    return exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
