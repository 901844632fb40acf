"""A port of their own for metrics, that serves nothing else: whoever scrapes may then reach it, and not the API."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import uvicorn

from runtime import ports
from runtime.config.exposure import is_loopback
from runtime.config.sections import MetricsConfig, ServerConfig
from runtime.errors import ConfigInvalid, Conflict, NotFound, Problem
from runtime.server.asgi import App, Receive, Scope, Send
from runtime.server.doors import Doors
from runtime.server.http1 import Http1
from runtime.server.masking import Hidden
from runtime.server.metrics import MetricsRoute
from runtime.server.middleware.origin import OriginMiddleware
from runtime.server.middleware.request import RequestMiddleware
from runtime.server.ongoing import Ongoing
from runtime.server.probes import METRICS
from runtime.stack.stack import Stack
from runtime.telemetry.metrics.of_spans import SpanMetrics

log = logging.getLogger(__name__)
_MOST_CONNECTIONS = 64
_IDLE_S = 75
_END_S = 1.0
"""How long whoever reads them at the end has for it."""


@asynccontextmanager
async def served_apart(
    metrics: SpanMetrics, config: MetricsConfig, stack: Stack, hidden: Hidden
) -> AsyncIterator[None]:
    """While entered, the metrics of a stack are served at the port that the config has for them. Raises Conflict, which
    names the process that has it, and ConfigInvalid for an address that is none of this machine.
    """
    listening = _listening(config)
    address, port = listening.getsockname()[:2]
    hosts: Sequence[str] | None = [] if is_loopback(address) else None
    route = OriginMiddleware(MetricsRoute(_nothing_else, metrics), cors=None, hosts=hosts)
    server = _server(RequestMiddleware(route, Ongoing(), stack.instance, Doors((), hidden), stack.nameless))
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="metrics")
    host = f"[{address}]" if ":" in address else address
    log.info("metrics are served apart", extra={"url": f"http://{host}:{port}{METRICS}"})
    try:
        yield
    finally:
        server.should_exit = True
        _, unfinished = await asyncio.wait({serving}, timeout=_END_S)
        for one in unfinished:
            one.cancel()


def _listening(config: MetricsConfig) -> socket.socket:
    assert config.port is not None, "whoever has none asks for no socket"
    try:
        listening = ports.bound(config.host, config.port, backlog=_MOST_CONNECTIONS)
    except OSError as error:
        hint = "choose another: `telemetry.metrics.port` in the run config, or LLAMA_STACK_METRICS_PORT"
        if error.errno == errno.EADDRINUSE:
            raise Conflict(ports.in_use(config.host, config.port), hint=hint) from error
        problem = Problem(
            message=f"cannot listen on {config.host}:{config.port}: {error.strerror or error}",
            path="telemetry.metrics",
            hint=hint,
        )
        raise ConfigInvalid([problem], what="run config") from error
    listening.setblocking(False)
    return listening


class _Beside(uvicorn.Server):
    """Signals are for the server that it is beside, or for the program that has the stack."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: App) -> uvicorn.Server:
    least_rate = ServerConfig().client_min_bytes_per_second
    return _Beside(
        uvicorn.Config(
            app,
            loop="none",
            http=partial(Http1, max_connections=_MOST_CONNECTIONS, least_rate=least_rate),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=1,
        )
    )


async def _nothing_else(scope: Scope, receive: Receive, send: Send) -> None:
    raise NotFound("this port has nothing but metrics", hint=f"they are at `{METRICS}`")
