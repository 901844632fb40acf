"""The streams of a transport of the SDK, and a stream whose messages are put right and that tells when its server has
ended it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from runtime.http.client import HttpClient
from runtime.providers.connectors.builtin.carrying import Carrier
from runtime.providers.connectors.builtin.corrections import correct
from runtime.providers.connectors.builtin.identities import AskedAs
from runtime.providers.connectors.builtin.servers import Server

_TIMEOUT = httpx2.Timeout(10.0, read=3600.0)
"""Of one silence: our requests have limits of their own, and a stream of notifications may be silent for long."""


@asynccontextmanager
async def over_streamable_http(
    url: str, server: Server, asked_as: AskedAs, http: HttpClient, *, limit_bytes: int
) -> AsyncGenerator[TransportStreams, None]:
    carrier = Carrier(server, asked_as, http, limit_bytes=limit_bytes, answers_apart=False)
    async with (
        httpx2.AsyncClient(transport=carrier, timeout=_TIMEOUT) as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=limit_bytes) as streams,
    ):
        yield streams


@asynccontextmanager
async def over_sse(
    url: str, server: Server, asked_as: AskedAs, http: HttpClient, *, limit_bytes: int
) -> AsyncGenerator[TransportStreams, None]:
    def client(
        headers: dict[str, str] | None = None, timeout: httpx2.Timeout | None = None, auth: httpx2.Auth | None = None
    ) -> httpx2.AsyncClient:
        carrier = Carrier(server, asked_as, http, limit_bytes=limit_bytes, answers_apart=True)
        return httpx2.AsyncClient(transport=carrier, timeout=_TIMEOUT)

    async with sse_client(url, httpx_client_factory=client) as streams:
        yield streams


class Watched:
    """What a server sends. ended: called when it has ended that, or broken off."""

    def __init__(self, stream: Any, ended: Callable[[], None]) -> None:
        self._stream = stream
        self._ended = ended

    @property
    def last_context(self) -> Any:
        return getattr(self._stream, "last_context", None)

    async def receive(self) -> Any:
        try:
            message = await self._stream.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._ended()
            raise
        correct(message)
        return message

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> Watched:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Watched:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
