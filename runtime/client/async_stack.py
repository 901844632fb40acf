"""A stack on the caller's own event loop, which it is opened on by the first who needs it."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from runtime.client.chosen import Chosen
from runtime.client.exchange import Asked
from runtime.client.http_clients import client_settings, headers_of, library_or_installed
from runtime.client.local_stack import LocalStack
from runtime.client.reading import LoopReading
from runtime.to_the_end import to_the_end


class AsyncStack:
    """Open from `open`, or the first request, until `close`, or until nobody has it any more."""

    def __init__(self, chosen: Chosen, *, provider_data: Mapping[str, Any] | None = None, wait_s: float = 0.0) -> None:
        self._headers = headers_of(provider_data)
        self._name = chosen.run.distro_name
        self._local = LocalStack(chosen, wait_s=wait_s)
        self._pid = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening: asyncio.Task[None] | None = None

    def http_client(self, library: ModuleType | None = None) -> Any:
        """`SyncStack.http_client` for coroutines: `httpx.AsyncClient`, or httpx2's."""
        from runtime.client.transports import async_transport

        chosen = library_or_installed(library)
        transport = async_transport(chosen, self)
        return chosen.AsyncClient(transport=transport, **client_settings(chosen, self._headers))

    def __del__(self, warn: Callable[..., None] = warnings.warn) -> None:
        """The event loop closes it, if that still runs; its end does so otherwise."""
        loop: asyncio.AbstractEventLoop | None = self.__dict__.get("_loop")
        if loop is None or loop.is_closed() or self._local.is_closed or self._pid != os.getpid():
            return
        closing = _close(self._opening, self._local)
        try:  # first: a warning may be made an error
            asyncio.run_coroutine_threadsafe(closing, loop)
        except RuntimeError:  # it has ended meanwhile
            closing.close()
            return
        warn(f"unclosed stack `{self._name}`: `close()` its client, or use `async with`", ResourceWarning, source=self)

    async def open(self) -> None:
        """Raises what `LocalStack.open` does, each time; RuntimeError on another event loop than before."""
        self._check_loop()
        if self._opening is None:
            self._loop = asyncio.get_running_loop()
            self._opening = self._loop.create_task(self._local.open())
        if not self._opening.done() or self._opening.exception() is not None:
            await asyncio.shield(self._opening)

    async def begin(self, asked: Asked) -> LoopReading:
        """Begin a request. Raises as `open` does, and Unavailable once the stack is closed."""
        await self.open()
        reading = LoopReading()
        reading.exchange = self._local.begin(asked, reading.put)
        return reading

    async def close(self) -> None:
        """See `LocalStack.close`; to its end, also where whoever waits for it is cancelled. Raises RuntimeError on
        another event loop than the one that it was opened on.
        """
        self._check_loop()
        await _close(self._opening, self._local)

    def _check_loop(self) -> None:
        if self._loop not in (None, asyncio.get_running_loop()):
            raise RuntimeError("this stack runs on another event loop: make one client for each `asyncio.run`")


async def _close(opening: asyncio.Task[None] | None, local: LocalStack) -> None:
    if opening is not None:
        await asyncio.wait({opening})
    await to_the_end(local.close())
