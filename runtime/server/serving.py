"""uvicorn with our own shutdown: the first signal drains, the second ends the server, the third kills it.

In every case but the last, a stream that is cut off gets an error event, if its client still reads.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from types import FrameType

import uvicorn

from runtime.config.sections import ServerConfig
from runtime.server.asgi import App
from runtime.server.descriptors import connections_within
from runtime.server.handshakes import CountingContext
from runtime.server.http1 import REFUSED_AT_ONCE, Http1
from runtime.server.memory import collect_less_garbage, keep_freed_memory
from runtime.server.ongoing import Ongoing

log = logging.getLogger(__name__)
EXIT_INTERRUPTED = 130
_LAST_WORDS_S = 1.0
"""How long clients may take to read the error events of their streams."""
_POLL_S = 0.02


class Server(uvicorn.Server):
    """Serves one application. ongoing: what that serves at each moment. answering: set once the socket answers.
    on_drain: called in the event loop after the first signal, with a text that says what the server waits for.

    drain_timeout_s: how long running requests may take to finish. force_exit: set if a second signal ended that early.
    """

    def __init__(
        self,
        app: App,
        config: ServerConfig,
        *,
        ongoing: Ongoing,
        drain_timeout_s: float,
        on_drain: Callable[[str], object],
    ) -> None:
        most = connections_within(config.max_connections)
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http=partial(  # type: ignore[arg-type]  # what makes a protocol
                    Http1,
                    max_connections=most,
                    least_rate=config.client_min_bytes_per_second,
                ),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,  # nothing here asks who the client is
                server_header=False,
                timeout_keep_alive=config.client_timeout_seconds,  # type: ignore[arg-type]  # as exact as timers are
                timeout_graceful_shutdown=math.ceil(drain_timeout_s + _LAST_WORDS_S),
                ssl_context_factory=(lambda *_: CountingContext(config, lambda: self._room(most)))
                if config.tls_certfile
                else None,
            )
        )
        self.answering = asyncio.Event()
        self._ongoing = ongoing
        self._on_drain = on_drain
        self._drain_timeout_s = drain_timeout_s
        self._is_interrupted = False
        self._interrupted = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def _room(self, most: int) -> int:
        """How many more connections there may be, those included that are told that they are too many."""
        return most + REFUSED_AT_ONCE - len(self.server_state.connections)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            collect_less_garbage()
            keep_freed_memory()
            self.answering.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests finish and the application stop; a second signal ends the wait."""
        self._ongoing.drain()
        drain = asyncio.create_task(super().shutdown(sockets))
        interrupted = asyncio.create_task(self._interrupted.wait())
        try:
            await asyncio.wait((drain, interrupted), timeout=self._drain_timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if not drain.done():
                await self._end_streams()
            await asyncio.wait((drain, interrupted), return_when=asyncio.FIRST_COMPLETED)
            if interrupted.done():
                self.force_exit = True
            else:
                await drain
        finally:
            interrupted.cancel()
            drain.cancel()

    async def _end_streams(self) -> None:
        """End running streams with an error event, and wait until their clients have read it, for a limited time."""
        if not self._ongoing.end("the server is stopping"):
            return
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                while self.server_state.tasks or self.server_state.connections:  # noqa: ASYNC110  # uvicorn has no event for it
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            log.warning("requests are cut off", extra={"requests": len(self.server_state.tasks)})

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle a signal (uvicorn's own handler would ignore a second SIGTERM). Only sets flags, and leaves the rest
        to the event loop, since a signal can interrupt any code, also this handler.
        """
        if self._is_interrupted:
            os._exit(EXIT_INTERRUPTED)
        assert self._loop is not None
        if self.should_exit:
            self._is_interrupted = True
            self._loop.call_soon_threadsafe(self._interrupted.set)
            return
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._report_drain, signal.Signals(sig).name)

    def _report_drain(self, name: str) -> None:
        running = len(self.server_state.tasks)
        requests = f"{running} request{'' if running == 1 else 's'} running"
        self._on_drain(requests if running else "providers are stopping")
        log.info("draining", extra={"signal": name, "requests": running})

    def end_with_parent(self, fd: int) -> None:
        """Drain when the other end of this pipe closes: the process that started us has ended."""
        if not os.read(fd, 1):
            asyncio.get_running_loop().remove_reader(fd)
            self.handle_exit(signal.SIGTERM, None)
