"""Executes a plan: builds routers and providers, starts them, and stops them in reverse order.

`open()` imports adapters and constructs everything, which is quick; `start()` does the slow work (weights, upstream
model lists) once the server answers. A provider that fails is left out with its reason, and the others run.

A stack that is opened by need leaves what only comes by default for later: `complete()` makes it when it is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

from runtime import discovery
from runtime.access import EVERYBODY, Nameless
from runtime.apis._api import Api
from runtime.apis.inspect.protocol import RouteInfo
from runtime.apis.providers.protocol import ProviderInfo
from runtime.config.resources import owner_of
from runtime.config.run_config import RunConfig
from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.http.transport import Transport
from runtime.provider import ProviderContext, Tasks
from runtime.redaction import Secrets
from runtime.routing.forward import Router, Routing
from runtime.stack.api_relations import is_registry
from runtime.stack.at_once import made_at_once
from runtime.stack.background import BackgroundWork
from runtime.stack.instance import Instance
from runtime.stack.kinds import Kinds, own_routing
from runtime.stack.plan import Plan
from runtime.stack.planned import PlannedProvider
from runtime.stack.providers import RunningProvider
from runtime.stack.retention import Retention
from runtime.stack.supervisor import Supervisor
from runtime.storage.analytics.door import answer_others
from runtime.storage.analytics.tables import AnalyticsTable
from runtime.storage.jobs import SCHEMA, JobRunner, Jobs
from runtime.storage.placement import JOBS_STORE, RESOURCE_STORE
from runtime.storage.stores import Stores
from runtime.storage.used import UsedStores
from runtime.telemetry.batching import BatchProcessor, Exporter
from runtime.telemetry.bodies.asked_for import are_asked_for
from runtime.telemetry.calls import TracedCalls
from runtime.telemetry.costs import Costs
from runtime.telemetry.last_hour import LastHour
from runtime.telemetry.sampling import Sampler

if TYPE_CHECKING:
    from runtime.faults.injection import Faults
    from runtime.stack.interposed import Interposed

log = logging.getLogger(__name__)
COMPLETE_AFTER_S = 60.0
"""When a stack that was opened by need is completed although nobody asks: jobs that were left wait for their provider,
and so does what has expired.
"""
TELEMETRY = "telemetry"
"""The API whose providers keep what happens; where there is none, no call of a provider is looked at."""
STARTS_WITHIN_S = 10.0
"""How long whoever asks for what has waited waits for its start too; what is still starting then says so itself."""


class Stack:
    """A running stack: `api(name)` is the routed implementation of an API.

    state_dir: where providers and stores keep their files. cache_dir: where they keep what can be made again and serves
    other stacks too; by default, each in its own. models_dir: where models are that the user downloaded or imported.
    aliases: more names for models, each with its target. transport: replaces the network, for tests, provider by
    provider: those of two APIs may have one id. interposed: what is recorded or replayed, or goes wrong on purpose.
    exporters: are told what happens, beside the providers of `telemetry`; nobody is where the run config says so.
    sampler: which traces are kept; None for all that their callers keep. is_alone: whether no other process uses
    `state_dir`.

    processor: is told the spans of requests that have ended; None where nobody is. last_hour: what it was like, if so.
    nameless: who asks without a name, and for whom the jobs are done that are nobody's; there is no authentication.
    on_change: whoever sets it is called each time that what `degraded()` says may have changed, before anybody is told.
    """

    def __init__(
        self,
        plan: Plan,
        run: RunConfig,
        *,
        state_dir: Path,
        cache_dir: Path | None = None,
        models_dir: Path | None = None,
        aliases: Mapping[str, str] | None = None,
        transport: Callable[[PlannedProvider], Transport] | None = None,
        interposed: Interposed | None = None,
        exporters: Sequence[Exporter] = (),
        sampler: Sampler | None = None,
        is_alone: bool = False,
    ) -> None:
        self.plan = plan
        self._run = run
        self._state_dir = state_dir
        self._cache_dir = cache_dir
        self._models_dir = models_dir
        self._aliases = dict(aliases or {})
        self._transport = transport
        self._interposed = interposed
        self._stores = Stores(run.storage, state_dir, plan.stores.values())
        self._apis: dict[str, Router] = {}
        self._kinds = Kinds(plan)
        self._tasks = Tasks("stack")
        interval_s = run.server.registry_refresh_interval_seconds
        self._providers = Supervisor(plan.providers, tasks=self._tasks, refresh_interval_s=interval_s)
        has_jobs = is_alone and self._stores.is_in_state_folder(JOBS_STORE.name)
        self._work = BackgroundWork(lambda: self.processor, lambda: self.nameless)
        find_store = partial(self._stores.sql, JOBS_STORE.name, SCHEMA)
        self._jobs = JobRunner(find_store, is_alone=has_jobs, origin=self._work.origin)
        limits = run.storage.retention
        self._retention = Retention(self._stores, limits, changed=lambda: self.on_change()) if limits else None
        self.nameless: Nameless = EVERYBODY
        is_kept = bool(plan.of(TELEMETRY)) and not (interposed is not None and interposed.replays)
        is_told = (is_kept or bool(exporters)) and run.telemetry.enabled is not False
        self.processor = (
            BatchProcessor(
                exporters,
                sampler=sampler,
                completed=Costs(self._kinds.price_of).note,
                without_secrets=Secrets(plan.secrets()).without,
            )
            if is_told
            else None
        )
        self.last_hour: LastHour | None = None
        if self.processor is not None:
            self.last_hour = LastHour()
            self.processor.add(self.last_hour)
        self.instance = Instance()
        self.on_change: Callable[[], None] = lambda: None
        self.settled = asyncio.Event()
        self._waiting: frozenset[str] = frozenset()
        self._completing: asyncio.Task[None] | None = None
        self._is_started = self._is_closed = self._answers_others = False

    @property
    def faults(self) -> Faults | None:
        """What goes wrong on purpose; None where nothing may."""
        return self._interposed.faults if self._interposed is not None else None

    @property
    def is_whole(self) -> bool:
        """Whether every router and provider is made; else `complete` makes the others."""
        return not self._waiting

    async def open(self, *, with_tables: bool = True, by_need: bool = False) -> None:
        """Construct every router and provider. with_tables: whether to make and migrate the tables that they use; else
        each does that when it uses them. by_need: whether what only comes by default waits for `complete`. Raises only
        if the whole stack cannot run, for example if storage cannot be opened.
        """
        every = frozenset((*self.plan.apis, *self.plan.inner_apis))
        at_once = made_at_once(self.plan, self._run) if by_need else every
        self._waiting = every - at_once
        try:
            await self._stores.open()
            await self._make(at_once)
            self._kinds.declare_aliases(self._aliases)
            if self._run.default_model:
                self._kinds.put_first(self._run.default_model)
            if with_tables:
                await self._stores.open_tables()
        except BaseException:
            await self.close()
            raise

    async def complete(self) -> None:
        """Make what has waited, and start it if the others are: it answers as if it had been there all the time.
        Whoever asks meanwhile waits for the same, and may leave. Raises Unavailable once the stack is closed, and where
        storage cannot be read; it can be repeated then.
        """
        if self.is_whole:
            return
        if self._is_closed:
            raise _closed()
        making = self._completing
        if making is None or making.done():
            # Without the context of the request that asks: what providers begin serves all.
            context = contextvars.Context()
            making = asyncio.create_task(self._complete(), name="complete the stack", context=context)
            self._completing = making
        await asyncio.wait({making})
        if making.cancelled():
            raise _closed()
        making.result()

    async def _complete(self) -> None:
        # Most of the work, which would hold up what else the event loop does: it may be a program's own.
        await asyncio.to_thread(_import, self.plan, self._waiting)
        await self._make(self._waiting)
        if self._is_started:
            started = asyncio.Event()
            self._tasks.spawn(self._start_made(started.set), name="start what has waited")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STARTS_WITHIN_S):
                    await started.wait()
        self._waiting = frozenset()

    async def _make(self, names: Collection[str]) -> None:
        """Make the routers and the providers of some APIs."""
        routed = [api for api in (*self.plan.apis.values(), *self.plan.inner_apis.values()) if api.name in names]
        made = [
            await self._kinds.open(api, api.resource, self._stores.kv(RESOURCE_STORE.name))
            for api in routed
            if api.resource is not None
        ]
        for api in routed:
            self._apis[api.name] = self._router(api)
        for planned in self.plan.providers:
            if planned.api in names:
                self._construct(planned)
        await self._kinds.add_configured(made)

    def start(self) -> None:
        """Begin the slow work in the background, and check every provider from now on. `settled` is set when each has
        started or failed.
        """
        self._is_started = True
        if self._interposed is not None:
            self._interposed.begin()
        self._tasks.spawn(self._start_all(), name="start providers")
        if self.processor is not None:
            self._tasks.spawn(self.processor.run(), name="hand on what has happened")
        self._jobs.start()
        if self._retention is not None:
            self._tasks.spawn(self._retention.run(), name="remove what is too old")
        if not self.is_whole:
            self._tasks.spawn(self._complete_later(), name="complete the stack later")

    async def _start_all(self) -> None:
        await self._start_made(self.settled.set if self._interposed is None else lambda: None)
        if self._interposed is not None:
            try:
                had = [(one, self.plan.world.load_api(one.api), adapter) for one, adapter in self.adapters()]
                await self._interposed.note(had)
            finally:
                self.settled.set()
        self._kinds.warn_of_unresolved(self._run.default_model)

    async def _start_made(self, done: Callable[[], None]) -> None:
        """Start every provider that is made and was not started, and list what each serves, all at once."""
        try:
            analytics = self._stores.analytics()
            if analytics.tables and not self._answers_others:
                self._answers_others = True
                self._tasks.spawn(answer_others(analytics), name="answer other processes about analytics")
            await self._providers.start(*(kind.listings.ask_all_first() for kind in self._kinds.not_asked()))
        finally:
            done()

    async def _complete_later(self) -> None:
        await asyncio.sleep(COMPLETE_AFTER_S)
        while not self.is_whole:
            try:
                await self.complete()
            except Unavailable as error:
                log.warning("the stack is not complete yet", extra={"error": error.message})
                await asyncio.sleep(COMPLETE_AFTER_S)

    async def close(self) -> None:
        """Stop providers in reverse order and release everything; one that fails to stop does not affect others, nor
        does work that does not end: see `CLOSE_LIMIT_S` of the server.
        """
        self._is_closed = True
        if self._completing is not None:
            self._completing.cancel()
            await asyncio.wait({self._completing})
        await asyncio.gather(self._tasks.close(), self._jobs.stop())
        if self._interposed is not None:
            await self._interposed.close()
        if self.processor is not None:
            await self.processor.close()
        await self._providers.close()
        await self._stores.close()

    def mounted(self) -> Mapping[str, Api]:
        """The mounted APIs that are made, by name."""
        return {name: api for name, api in self.plan.apis.items() if name in self._apis}

    def api(self, name: str) -> Any:
        """The implementation of an API that is mounted or used by providers, and made. Raises Unavailable for any
        other.
        """
        implementation = self._apis.get(name)
        if implementation is None:
            raise Unavailable(f"The API {name} is not available: it is not mounted")
        return implementation

    def routes(self) -> list[RouteInfo]:
        """Every mounted route with the provider types behind it."""
        found = []
        for api in self.plan.apis.values():
            served_by = api.resource.served_by if api.resource and is_registry(api) else api.name
            types = [planned.spec.provider_type for planned in self.plan.of(served_by)]
            for operation in api.operations():
                for method, path, deprecated in operation.route.mounts():
                    found.append(
                        RouteInfo(route=path, method=method, provider_types=types, api=api.name, deprecated=deprecated)
                    )
        return found

    async def provider_infos(self, *, provider_id: str | None = None, api: str | None = None) -> list[ProviderInfo]:
        """See `Supervisor.infos`."""
        await self.complete()
        return await self._providers.infos(provider_id=provider_id, api=api)

    def adapters(self) -> Iterator[tuple[PlannedProvider, Any]]:
        """Every provider that could be constructed, with its adapter."""
        return self._providers.constructed()

    def analytics(self) -> tuple[AnalyticsTable, ...]:
        """The tables of analytics that its APIs and providers use."""
        return self._stores.analytics().tables

    def provider_ids(self, api: str | None = None) -> list[str]:
        """The id of each provider, or of each one of an API; an id that several APIs use is repeated."""
        return [planned.provider_id for planned in self.plan.providers if api in (None, planned.api)]

    def turned_on_by(self, api: str | None = None) -> dict[str, str]:
        """See `Plan.turned_on_by`."""
        return self.plan.turned_on_by(api)

    def degraded(self) -> dict[str, str]:
        """What does not work, each with the reason: providers as `Supervisor.degraded` names them, and what the stack
        itself does, by the run config's key for it.
        """
        own = self._retention.trouble if self._retention is not None else ""
        return self._providers.degraded() | ({"storage.retention": own} if own else {})

    def troubles(self) -> Iterator[tuple[PlannedProvider, str]]:
        """See `Supervisor.troubles`."""
        return self._providers.troubles()

    def loading(self) -> dict[str, float]:
        """See `Supervisor.loading`."""
        return self._providers.loading()

    async def check_required(self, names: Iterable[str]) -> None:
        """See `Supervisor.check_required`."""
        await self.complete()
        await self._providers.check_required(names)

    def _router(self, api: Api) -> Router:
        own, kind = self._kinds.registered_by(api), self._kinds.owned_by(api.name)
        routing = Routing(
            api=api,
            registers=own.registry if own else None,
            routes_by=kind.registry if kind else None,
            adapters=self._providers.adapters_of(api.name, off=self.plan.turned_on_by(api.name)),
            storage=self._stores,
            settings=getattr(self._run, api.section) if api.section else None,
            find_api=self._apis.get,
        )
        made: Router = own_routing(api.name, "ROUTER", Router)(routing)
        return made

    def _kept(self, api: str) -> Iterator[BaseModel]:
        """The run config's resources that the provider of an API keeps itself, except those whose provider is off."""
        if (kind := self.plan.world.load_api(api).kept) is not None:
            owners = self.provider_ids(kind.served_by)
            for given in self.plan.resources.get(api, ()):
                if owner_of(given, owners) is not None:
                    yield given

    def _construct(self, planned: PlannedProvider) -> None:
        provider_id, kind = planned.provider_id, self._kinds.owned_by(planned.api)
        transport = self._transport(planned) if self._transport else None
        between, api = self._interposed, self.plan.world.load_api(planned.api)
        upstream = between.upstream(planned, api) if between else None
        http = HttpClient(provider_id, network=planned.network, transport=transport, between=upstream)
        if between is not None:
            http.connections.retries = between.retries(http.connections.retries)
            http.connections.is_offline = between.replays
        place = planned.api, provider_id
        storage = UsedStores(self._stores)
        running = RunningProvider(
            planned,
            http=http,
            storage=storage,
            listed=kind.listed_by(provider_id) if kind else None,
            lost=partial(self.instance.forget, place),
            changed=lambda: self.on_change(),
            stand_in=lambda context: between.stand_in(planned, api, context) if between else None,
            door=lambda adapter: self._door(planned, api, adapter),
            cut_off=lambda: between.outage(planned, api) if between else None,
        )
        if kind is not None:
            kind.listings.providers.setdefault(provider_id, running)
        context = ProviderContext(
            provider_id=provider_id,
            spec=planned.spec,
            http=http,
            storage=storage,
            state_dir=self._state_dir / planned.api / provider_id,
            tasks=running.tasks,
            stack=self,
            find_api=lambda protocol: self._needed_api(planned, protocol),
            find_optional_api=lambda protocol: self._optional_api(planned, protocol),
            find_jobs=lambda: Jobs(self._jobs, running.name, lambda: running.phase == "ready", self._work.doing),
            find_loop=partial(self.instance.leads_back, place),
            registered=tuple(self._kept(planned.api)),
            list_changed=running.ask_soon,
            registrations=lambda: kind.registered_with(provider_id) if kind else (),
            shared_cache_dir=self._cache_dir,
            models_dir=self._models_dir,
            configured_key=configured_key(planned),
            recorder=between.session if between else None,
            recorded=between.recorded(planned, api) if between else None,
            spans=self.processor,
        )
        self._providers.construct(running, context)

    def _door(self, planned: PlannedProvider, api: Api, adapter: Any) -> Any:
        """A provider as others see it."""
        seen = self._interposed.door(planned, api, adapter) if self._interposed is not None else adapter
        if self.processor is None or api.name == TELEMETRY:
            return seen
        spec = planned.spec
        traced = TracedCalls(
            api,
            planned.provider_id,
            spec.provider_type,
            is_remote=spec.kind == "remote",
            tells_bodies=are_asked_for(),
        )
        return traced.door(seen)

    def _needed_api(self, planned: PlannedProvider, protocol: type) -> Any:
        """The result of `context.api(Protocol)`: a routed API; the plan has checked that it exists."""
        return self.api(self._name_of(protocol, planned.spec.needs, planned))

    def _optional_api(self, planned: PlannedProvider, protocol: type) -> Any:
        """The result of `context.optional_api(Protocol)`: a routed API, or None if no provider serves it."""
        name = self._name_of(protocol, planned.spec.may_use, planned)
        return self._apis.get(name) if self.plan.of(name) or is_registry(self.plan.world.load_api(name)) else None

    def _name_of(self, protocol: type, names: Iterable[str], planned: PlannedProvider) -> str:
        """The name, among those that a spec lists, of the API with this Protocol. Raises LookupError if it has none."""
        for name in names:
            if self.plan.world.load_api(name).is_of(protocol):
                return name
        raise LookupError(f"{planned.spec.provider_type} asks for {protocol.__name__}, which its spec does not list so")


def _import(plan: Plan, names: Collection[str]) -> None:
    """Import what some APIs are made of. What cannot be imported fails where it is made, and code of others is left to
    that: it is guarded there.
    """
    for name, api in (*plan.apis.items(), *plan.inner_apis.items()):
        if name in names:
            api.operations()
    for planned in plan.providers:
        if planned.api in names and not planned.spec.package:
            with contextlib.suppress(Exception):
                discovery.load(planned.spec.adapter, package=planned.spec.module)


def _closed() -> Unavailable:
    return Unavailable("the stack has been closed")


def configured_key(planned: PlannedProvider) -> str | None:
    """The `api_key` of its config, if that has a secret field of this name."""
    key = getattr(planned.config, "api_key", None)
    return key.get_secret_value() if isinstance(key, SecretStr) else None
