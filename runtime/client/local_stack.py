"""A stack in this process, with the application that serves it, on an event loop.

Knows how it is opened and closed, and what it serves at each moment. Knows no threads, and no library of a client.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runtime.client.chosen import Chosen
from runtime.client.exchange import Asked, Exchange, Message
from runtime.client.log_masking import LogMasking
from runtime.errors import ConfigInvalid, Conflict, Unavailable
from runtime.server.masking import Hidden
from runtime.server.memory import a_start_in_a_program
from runtime.telemetry.otlp.settings import secrets_in

if TYPE_CHECKING:
    from runtime.server.middleware.request import RequestMiddleware
    from runtime.stack.exporters import Exporters
    from runtime.stack.stack import Stack
    from runtime.storage.state_folder import Held

log = logging.getLogger(__name__)
_LAST_WORDS_S = 5.0
"""How long what is served at the end may take to come to its own end, before it is cancelled."""

_keepers: set[asyncio.Task[None]] = set()
"""An event loop alone would not keep them, and they keep what is open."""


class LocalStack:
    """Used on one event loop alone, but for the constructor. wait_s: how long `open` waits until every provider has
    started or failed.
    """

    def __init__(self, chosen: Chosen, *, wait_s: float = 0.0) -> None:
        self._chosen = chosen
        self._wait_s = wait_s
        self._stack: Stack | None = None
        self._app: RequestMiddleware | None = None
        self._held: Held | None = None
        self._hidden = Hidden((*chosen.plan.secrets(), *secrets_in(os.environ)))
        self._masking = LogMasking(self._hidden)
        self._exchanges: set[Exchange] = set()
        self._metrics = AsyncExitStack()
        self._is_closed = False
        self._ended = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def is_closed(self) -> bool:
        """Whether `close` has begun."""
        return self._is_closed

    async def open(self) -> None:
        """Hold the state folder, make the stack, and begin its slow work, which may go on afterwards.

        Raises Conflict where another process, or another stack of this one, has the folder, Unavailable once it has
        been closed, and what `Stack.open` does.
        """
        if self._is_closed:
            raise _closed()
        self._masking.cover()
        try:
            with a_start_in_a_program():
                await self._start(await self._open())
        except BaseException:
            self._masking.uncover()
            raise
        self._masking.cover()

    async def _start(self, stack: Stack) -> None:
        stack.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._wait_s):
                await stack.settled.wait()

    async def _open(self) -> Stack:
        from runtime.config.home import usable_cache_dir, usable_models_dir
        from runtime.config.sections import TelemetryConfig
        from runtime.server.by_need import app_by_need
        from runtime.stack.exporters import exporters_of
        from runtime.stack.stack import Stack

        chosen = self._chosen
        # Of what the run config has for a server, a program gets nothing: it says by variables what it wants to have.
        section = TelemetryConfig(enabled=chosen.run.telemetry.enabled)
        exporters = exporters_of(
            section, os.environ, chosen.plan.apis.values(), is_kept=False, distribution=chosen.run.distro_name,
            hidden=self._hidden,
        )  # fmt: skip
        for warning in (*chosen.run.warnings, *chosen.plan.warnings):
            log.warning(warning)
        held = self._held = _hold(chosen)
        try:
            stack = Stack(
                chosen.plan,
                chosen.run,
                state_dir=chosen.state_dir,
                cache_dir=usable_cache_dir(),
                models_dir=usable_models_dir(),
                exporters=exporters.every,
                sampler=exporters.sampler,
                is_alone=held.is_locked,
            )
            await stack.open(by_need=True)
            await self._serve_metrics(exporters, stack)
        except BaseException:
            held.let_go()
            raise
        self._stack, self._app = stack, app_by_need(stack, hidden=self._hidden, metrics=exporters.read)
        self._masking.cover()
        keeper = self._keeper = asyncio.create_task(self._keep(), name=f"llama stack {chosen.run.distro_name}")
        _keepers.add(keeper)
        keeper.add_done_callback(_keepers.discard)
        return stack

    async def _serve_metrics(self, exporters: Exporters, stack: Stack) -> None:
        await self._metrics.enter_async_context(exporters.sending_metrics())
        metrics, wanted = exporters.metrics, exporters.wanted
        if metrics is not None and wanted is not None and wanted.port is not None:
            from runtime.server.metrics_port import served_apart  # not above: it brings a server

            try:
                await self._metrics.enter_async_context(served_apart(metrics, wanted, stack, self._hidden))
            except BaseException:
                await stack.close()
                raise

    def begin(self, asked: Asked, put: Callable[[Message], None]) -> Exchange:
        """Begin a request. Raises Unavailable once the stack is closed."""
        if self._app is None or self._is_closed:
            raise _closed()
        app: Callable[..., Any] = self._app
        exchange = Exchange(app, asked, put, self._exchanges.discard)
        self._exchanges.add(exchange)
        return exchange

    async def close(self) -> None:
        """End what is still served with an error, stop every provider, and let go of the state folder. What was
        acknowledged is on disk. The second time it waits for that alone.
        """
        is_first, self._is_closed = not self._is_closed, True
        if is_first:
            await self._close()
        elif self._keeper is not None:
            await self._ended.wait()
        if self._keeper not in (None, asyncio.current_task()):
            await asyncio.wait({self._keeper})

    async def _keep(self) -> None:
        """Close a stack that was forgotten when its event loop ends: `asyncio.run` then cancels every task."""
        try:
            await self._ended.wait()
        except asyncio.CancelledError:
            await self.close()
            raise

    async def _close(self) -> None:
        try:
            await self._end_exchanges()
        finally:
            try:
                await self._metrics.aclose()
                if self._stack is not None:
                    await self._stack.close()
            finally:
                self._masking.uncover()
                if self._held is not None:
                    self._held.let_go()
                self._ended.set()

    async def _end_exchanges(self) -> None:
        if self._app is None or not (serving := list(self._exchanges)):
            return
        for exchange in serving:
            exchange.lift_limit()
        self._app.ongoing.end("the stack is closing")
        for exchange in serving:
            exchange.end_unsent()
        tasks = [exchange.task for exchange in serving]
        _, unfinished = await asyncio.wait(tasks, timeout=_LAST_WORDS_S)
        if unfinished:
            log.warning("requests are cut off", extra={"requests": len(unfinished)})
            for exchange in serving:
                exchange.cut_off()
            await asyncio.wait(tasks)


def _closed() -> Unavailable:
    return Unavailable("the stack has been closed", hint="make another client")


def _hold(chosen: Chosen) -> Held:
    from runtime.storage import state_folder

    try:
        return state_folder.hold(chosen.state_dir, holder=f"pid {os.getpid()}, as a library client")
    except ConfigInvalid as error:
        raise ConfigInvalid([replace(one, path="state_dir") for one in error.problems], what="choice") from error
    except Conflict as error:
        other = (
            "`close()` the client that has it first" if _is_ours(error) else "stop it, such as by `llama stack stop`"
        )
        raise Conflict(error.message, hint=f"{other}, or give `state_dir` another folder") from error


def _is_ours(error: Conflict) -> bool:
    """Whether another stack of this process has the folder, as where a cell of a notebook is run again."""
    return "in use by this process" in error.message
