"""Opens a session: finds how a server is spoken to, and of which generation it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import mcp_types as types
from mcp import Client
from mcp.client.session import MessageHandlerFnT

from runtime import __version__
from runtime.http.client import HttpClient
from runtime.http.given_addresses import checked_address
from runtime.providers.connectors.builtin.programs import program
from runtime.providers.connectors.builtin.servers import ALLOWED_BY
from runtime.providers.connectors.builtin.streams import Watched, over_sse, over_streamable_http
from runtime.providers.connectors.builtin.target import SessionTarget
from runtime.providers.connectors.builtin.trial import Trial

_ME = types.Implementation(name="llama-stack", version=__version__)
_LEAST_WIRE_BYTES = 16 * 1024 * 1024
"""What a message may have on its way, of which less is passed on."""
_NOT_STREAMABLE = (400, 404, 405, 406, 415, 501)
"""What servers answer that have SSE only."""


class Opening:
    """hear: called with each notification; lost: when the server has ended the session."""

    def __init__(self, target: SessionTarget, *, hear: MessageHandlerFnT, lost: Callable[[], None]) -> None:
        self._target = target
        self._hear = hear
        self._lost = lost
        self._is_lost = False
        self._limit_bytes = max(_LEAST_WIRE_BYTES, 2 * target.config.max_result_bytes)

    @asynccontextmanager
    async def opened(self, trial: Trial) -> AsyncGenerator[Client, None]:
        """The SDK's client, until the block ends. trial: what happens below it until then. Raises what it does, and
        RequestError for an address that may not be asked.
        """
        server, config, ours = self._target.server, self._target.config, self._target.http
        if server.url is None:
            async with program(server, limit_bytes=self._limit_bytes) as (streams, tell):
                try:
                    async with self._spoken_to(streams) as client:
                        yield client
                finally:
                    if self._is_lost:
                        tell()
            return
        may_be_private = server.is_trusted or config.allow_private_addresses
        url = await checked_address(
            server.url, connections=ours.connections, allow_private=may_be_private, allowed_by=ALLOWED_BY
        )
        http = ours.for_others(only_public=not may_be_private, are_given=not server.is_trusted, called=server.label)
        try:
            async with AsyncExitStack() as stack:
                yield await self._over_http(stack, url, http, trial)
        finally:
            await http.close()

    async def _over_http(self, stack: AsyncExitStack, url: str, http: HttpClient, trial: Trial) -> Client:
        """Over streamable HTTP, or else over SSE, as `transport` says; `auto` is both in turn."""
        server, asked_as = self._target.server, self._target.asked_as
        first = 0
        if server.transport != "sse":
            streams = over_streamable_http(url, server, asked_as, http, limit_bytes=self._limit_bytes)
            try:
                return await stack.enter_async_context(self._over(streams))
            except Exception:
                first = trial.status
                if server.transport != "auto" or trial.failure or first not in _NOT_STREAMABLE:
                    raise
        streams = over_sse(url, server, asked_as, http, limit_bytes=self._limit_bytes)
        try:
            return await stack.enter_async_context(self._over(streams))
        except Exception:
            trial.status = first or trial.status
            raise

    @asynccontextmanager
    async def _over(self, transport: Any) -> AsyncGenerator[Client, None]:
        async with transport as streams, self._spoken_to(streams) as client:
            yield client

    @asynccontextmanager
    async def _spoken_to(self, streams: Any) -> AsyncGenerator[Client, None]:
        read, write = streams

        @asynccontextmanager
        async def watched() -> AsyncGenerator[Any, None]:
            yield Watched(read, self._note_lost), write

        async with Client(watched(), client_info=_ME, message_handler=self._hear, cache=None) as client:
            yield client

    def _note_lost(self) -> None:
        self._is_lost = True
        self._lost()
