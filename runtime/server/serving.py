"""uvicorn with our way of ending: the first signal drains, the second ends, the third does not ask."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable
from types import FrameType

import uvicorn
from litestar.types import ASGIApp

from runtime.config.run_config import ServerConfig
from runtime.server.http1 import Http1

log = logging.getLogger(__name__)
EXIT_INTERRUPTED = 130


class Server(uvicorn.Server):
    """Serves one application. answering: set once the socket answers. on_drain: called when the first signal comes,
    with what it waits for.

    drain_timeout_s: what running requests are given at the end.
    """

    def __init__(
        self, app: ASGIApp, config: ServerConfig, *, drain_timeout_s: float, on_drain: Callable[[str], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http=Http1,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=max(1, round(drain_timeout_s)),
                ssl_certfile=config.tls_certfile,
                ssl_keyfile=config.tls_keyfile,
                ssl_ca_certs=config.tls_cafile,
                ssl_cert_reqs=ssl.CERT_REQUIRED if config.tls_cafile else ssl.CERT_NONE,
            )
        )
        self.answering = asyncio.Event()
        self._on_drain = on_drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.answering.set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came; uvicorn's own would ignore a second SIGTERM."""
        if self.force_exit:
            os._exit(EXIT_INTERRUPTED)
        if self.should_exit:
            self.force_exit = True
            return
        self.should_exit = True
        running = len(self.server_state.tasks)
        self._on_drain(f"{running} request{'' if running == 1 else 's'} running" if running else "providers that stop")
        log.info("draining", extra={"signal": signal.Signals(sig).name, "requests": running})

    def end_with_parent(self, fd: int) -> None:
        """Drain when the other end of this pipe closes, which is when the process that started us is gone."""
        if not os.read(fd, 1):
            asyncio.get_running_loop().remove_reader(fd)
            self.handle_exit(signal.SIGTERM, None)
