"""All providers of a stack: constructs them, starts them, tries again what failed, and says how each one is."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from typing import Any

from runtime.apis.providers.protocol import ProviderInfo
from runtime.errors import Unavailable
from runtime.outage import Outage
from runtime.provider import Loads, ProviderContext, Starts, Tasks
from runtime.routing.adapters import Adapters
from runtime.stack.listings import look_after
from runtime.stack.planned import PlannedProvider
from runtime.stack.providers import RunningProvider

log = logging.getLogger(__name__)
_START_AGAIN_S, _START_SELDOM_S = 5.0, 300.0


class Supervisor:
    """planned: every provider there will be. tasks: for what it does in the background; whoever gives them ends them
    before `close`. refresh_interval_s: how often a provider is asked for its list.
    """

    def __init__(self, planned: Iterable[PlannedProvider], *, tasks: Tasks, refresh_interval_s: float) -> None:
        self._tasks = tasks
        self._refresh_interval_s = refresh_interval_s
        self._running: list[RunningProvider] = []
        self._to_start: list[RunningProvider] = []
        self._adapters: dict[str, dict[str, Any]] = defaultdict(dict)
        self._down: dict[str, dict[str, Outage]] = defaultdict(dict)
        self._repeated = {name for name, count in Counter(one.provider_id for one in planned).items() if count > 1}

    def adapters_of(self, api: str, *, off: Mapping[str, str]) -> Adapters:
        """The providers of one API, as they are at each moment. off: see `Adapters`."""
        return Adapters(api, self._adapters[api], self._down[api], off)

    def construct(self, running: RunningProvider, context: ProviderContext) -> None:
        """Import and build the adapter of one more provider. If that fails, the others run."""
        self._running.append(running)
        self._to_start.append(running)
        api = running.planned.api
        if running.construct(context):
            self._adapters[api][running.id] = running.seen
        else:
            self._down[api][running.id] = running.outage

    async def start(self, *beside: Awaitable[None]) -> None:
        """Start all that were constructed and not started, at once, with what is done beside that, and look after each
        from now on. Returns when each has started or failed, whatever the others did.
        """
        to_start, self._to_start = self._to_start, []
        for running in to_start:
            self._look_after(running)
        starting = [self._start_one(running) for running in to_start]
        for failure in await asyncio.gather(*beside, *starting, return_exceptions=True):
            if isinstance(failure, Exception):
                log.error("part of the start failed", exc_info=failure)  # a bug of ours; the others continue

    async def close(self) -> None:
        """Stop all in reverse order; one that fails to stop does not affect others."""
        for running in reversed(self._running):
            await running.close()

    def constructed(self) -> Iterator[tuple[PlannedProvider, Any]]:
        """Every provider that runs, with its adapter."""
        for running in self._running:
            if running.adapter is not None and running.id in self._adapters[running.planned.api]:
                yield running.planned, running.adapter

    async def infos(self, *, provider_id: str | None = None, api: str | None = None) -> list[ProviderInfo]:
        """Every provider, or those of one id or API, with its redacted config and its health, all asked at once."""
        chosen = [one for one in self._running if provider_id in (None, one.id) and api in (None, one.planned.api)]
        healths = await asyncio.gather(*(running.health() for running in chosen))
        return [
            ProviderInfo(
                api=running.planned.api,
                provider_id=running.id,
                provider_type=running.planned.spec.provider_type,
                config=running.planned.shown(),
                health=health,
            )
            for running, health in zip(chosen, healths, strict=True)
        ]

    def degraded(self) -> dict[str, str]:
        """Providers that did not start or do not work any more, each with the reason: by id, or by `api/id` if several
        APIs use the id.
        """
        return {self._short_name(running): running.trouble for running in self._running if running.trouble}

    def troubles(self) -> Iterator[tuple[PlannedProvider, str]]:
        """Each provider, with the reason why it did not start or does not work any more, empty where it does."""
        for running in self._running:
            yield running.planned, running.trouble

    def loading(self) -> dict[str, float]:
        """Providers whose requests wait while they load: name -> the longest wait in seconds."""
        return {
            self._short_name(running): running.adapter.load_timeout_s
            for running in self._running
            if running.phase == "starting" and isinstance(running.adapter, Loads)
        }

    async def check_required(self, names: Iterable[str]) -> None:
        """Raises Unavailable, with the reasons, if one of these providers is not ready. names: `api/id`, or an id,
        which means all providers that have it.
        """
        names = set(names)
        required = [running for running in self._running if running.id in names or running.name in names]
        healths = await asyncio.gather(*(running.health() for running in required))
        problems = [
            f"`{self._short_name(running)}`: {health.message}"
            for running, health in zip(required, healths, strict=True)
            if health.state != "ready"
        ]
        if problems:
            raise Unavailable(f"a required provider is not ready: {'; '.join(problems)}")

    def _short_name(self, running: RunningProvider) -> str:
        return running.name if running.id in self._repeated else running.id

    def _look_after(self, running: RunningProvider) -> None:
        if running.can_be_asked:
            work = look_after(running, interval_s=self._refresh_interval_s)
            self._tasks.spawn(work, name=f"look after {running.name}")

    async def _start_one(self, running: RunningProvider) -> None:
        if running.phase == "failed" or not await running.start():
            await self._give_up(running)
        elif isinstance(running.adapter, Starts):
            await running.ask()

    async def _give_up(self, running: RunningProvider) -> None:
        """Take a provider that could not be constructed or started out of the adapters, and release what it uses."""
        self._adapters[running.planned.api].pop(running.id, None)
        self._down[running.planned.api][running.id] = running.outage
        await running.stop()
        self._tasks.spawn(self._start_later(running), name=f"start {running.name} later")

    async def _start_later(self, running: RunningProvider) -> None:
        """Try again until it starts, with longer and longer waits: its upstream may start later than we do."""
        wait_s = _START_AGAIN_S
        while True:
            await asyncio.sleep(wait_s)
            if await running.start_again():
                break
            self._down[running.planned.api][running.id] = running.outage
            wait_s = min(2 * wait_s, _START_SELDOM_S)
        self._adapters[running.planned.api][running.id] = running.seen
        del self._down[running.planned.api][running.id]
        await running.ask()
        self._look_after(running)
