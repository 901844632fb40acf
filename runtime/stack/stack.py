"""Executes a plan: builds routers and providers, starts them, and stops them in reverse order.

`open()` imports adapters and constructs everything, which is quick; `start()` does the slow work (weights, upstream
model lists) once the server answers. A provider that fails is left out with its reason, and the others run.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from runtime import discovery
from runtime.apis._api import Api
from runtime.apis._resources import Resource
from runtime.apis.inspect import RouteInfo
from runtime.apis.providers import ProviderInfo
from runtime.config.home import models_dir
from runtime.config.resources import owner_of
from runtime.config.run_config import RunConfig
from runtime.errors import NotFound, RequestError, StackError, Unavailable
from runtime.http.client import HttpClient
from runtime.http.transport import Transport
from runtime.outage import Outage
from runtime.provider import Loads, ProviderContext, Starts, Tasks
from runtime.routing.adapters import Adapters
from runtime.routing.declared import Alias
from runtime.routing.forward import Router
from runtime.routing.registrations import Registrations
from runtime.routing.registry import Registry
from runtime.routing.table import ResourceTable
from runtime.stack.api_relations import is_registry
from runtime.stack.instance import Instance
from runtime.stack.listings import Listings, look_after
from runtime.stack.plan import Plan
from runtime.stack.planned import PlannedProvider
from runtime.stack.providers import RunningProvider
from runtime.stack.retention import Retention
from runtime.storage.analytics.door import answer_others
from runtime.storage.analytics.tables import AnalyticsTable
from runtime.storage.jobs import SCHEMA, JobRunner, Jobs
from runtime.storage.placement import JOBS_STORE, RESOURCE_STORE
from runtime.storage.stores import Stores

log = logging.getLogger(__name__)
_START_AGAIN_S, _START_SELDOM_S = 5.0, 300.0
_MAX_LOGGED_NAMES = 20


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """A kind of resource. api: the API that registers it. listings: the providers that list such resources."""

    api: Api
    table: ResourceTable
    registry: Registry
    listings: Listings


class Stack:
    """A running stack: `api(name)` is the routed implementation of an API.

    state_dir: where providers and stores keep their files. aliases: more names for models, each with its target.
    transport: replaces the network, for recordings and tests.

    on_change: whoever sets it is called each time that what `degraded()` says may have changed, before anybody is told.
    """

    def __init__(
        self,
        plan: Plan,
        run: RunConfig,
        *,
        state_dir: Path,
        aliases: Mapping[str, str] | None = None,
        transport: Callable[[str], Transport] | None = None,
    ) -> None:
        self.plan = plan
        self._run = run
        self._state_dir = state_dir
        self._aliases = dict(aliases or {})
        self._transport = transport
        self._stores = Stores(run.storage, state_dir, plan.stores.values())
        self._running: list[RunningProvider] = []
        self._apis: dict[str, Router] = {}
        self._kinds: dict[str, _Kind] = {}  # by the API whose providers own them
        self._adapters: dict[str, dict[str, Any]] = defaultdict(dict)
        self._down: dict[str, dict[str, Outage]] = defaultdict(dict)
        self._tasks = Tasks("stack")
        self._jobs = JobRunner(partial(self._stores.sql, JOBS_STORE.name, SCHEMA))
        self._repeated = {name for name, count in Counter(self.provider_ids()).items() if count > 1}
        self.instance = Instance()
        self.on_change: Callable[[], None] = lambda: None
        self.settled = asyncio.Event()

    async def open(self, *, with_tables: bool = True) -> None:
        """Construct every router and provider. with_tables: whether to make and migrate the tables that they use; else
        each does that when it uses them. Raises only if the whole stack cannot run, for example if storage cannot be
        opened.
        """
        try:
            await self._open()
            if with_tables:
                await self._stores.open_tables()
        except BaseException:
            await self.close()
            raise

    async def _open(self) -> None:
        await self._stores.open()
        routed = (*self.plan.apis.values(), *self.plan.inner_apis.values())
        for api in routed:
            if api.resource is not None:
                await self._open_kind(api, api.resource)
        for api in routed:
            self._apis[api.name] = self._router(api)
        for planned in self.plan.providers:
            self._construct(planned)
        for kind in self._kinds.values():
            kind.registry.add_configured(self._configured(kind))
            providers = kind.listings.providers.values()
            await kind.listings.ask(one for one in providers if one.planned.spec.kind == "inline")
        self._declare_aliases()
        if self._run.default_model and (models := self._models()):
            models.table.put_first(self._run.default_model)

    def start(self) -> None:
        """Begin the slow work in the background, and check every provider from now on. `settled` is set when each has
        started or failed.
        """
        self._tasks.spawn(self._start_all(), name="start providers")
        self._jobs.start()
        if (analytics := self._stores.analytics()).tables:
            self._tasks.spawn(answer_others(analytics), name="answer other processes about analytics")
        if limits := self._run.storage.retention:
            self._tasks.spawn(Retention(self._stores, limits).run(), name="remove what is too old")
        for running in self._running:
            self._look_after(running)

    def _look_after(self, running: RunningProvider) -> None:
        if running.can_be_asked:
            interval_s = self._run.server.registry_refresh_interval_seconds
            self._tasks.spawn(look_after(running, interval_s=interval_s), name=f"look after {running.name}")

    async def close(self) -> None:
        """Stop providers in reverse order and release everything; one that fails to stop does not affect others."""
        await self._tasks.close()
        await self._jobs.stop()
        for running in reversed(self._running):
            await running.close()
        await self._stores.close()

    def api(self, name: str) -> Any:
        """The implementation of an API that is mounted or used by providers. Raises Unavailable for any other."""
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

    def adapters(self) -> Iterator[tuple[PlannedProvider, Any]]:
        """Every provider that could be constructed, with its adapter."""
        for running in self._running:
            adapter = self._adapters[running.planned.api].get(running.id)
            if adapter is not None:
                yield running.planned, adapter

    def analytics(self) -> tuple[AnalyticsTable, ...]:
        """The tables of analytics that its APIs and providers use."""
        return self._stores.analytics().tables

    def provider_ids(self, api: str | None = None) -> list[str]:
        """The id of each provider, or of each one of an API; an id that several APIs use is repeated."""
        return [planned.provider_id for planned in self.plan.providers if api in (None, planned.api)]

    def degraded(self) -> dict[str, str]:
        """Providers that did not start or do not work any more, each with the reason: by id, or by `api/id` if several
        APIs use the id.
        """
        return {self._short_name(running): running.trouble for running in self._running if running.trouble}

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

    async def _open_kind(self, api: Api, resource: Resource) -> None:
        """The table and the registry of one kind of resource, with what was registered before."""
        listed_at = next((one.route.path for one in api.operations() if one.route.registry == "list"), "")
        table = ResourceTable(resource, listed_at=listed_at)
        owners = [planned.provider_id for planned in self.plan.of(resource.served_by)]
        table.set_providers(owners, off=self._turned_on_by(resource.served_by))
        registrations, listings = Registrations(table, self._stores.kv(RESOURCE_STORE.name)), Listings()
        registry = _own_routing(api.name, "REGISTRY", Registry)(api, table, registrations, listings)
        self._kinds[resource.served_by] = _Kind(api=api, table=table, registry=registry, listings=listings)
        await registrations.load(registry.restored)

    def _turned_on_by(self, api: str) -> dict[str, str]:
        """The providers of an API that are off, by their usual id, and how to turn each on."""
        return {
            off.provider_type.split("::", 1)[1]: f"set {' and '.join(off.enabled_by)}"
            for off in self.plan.off
            if off.api == api and off.enabled_by
        }

    def _router(self, api: Api) -> Router:
        own = self._kinds.get(api.resource.served_by) if api.resource else None
        kind = self._kinds.get(api.name)
        made: Router = _own_routing(api.name, "ROUTER", Router)(
            api,
            registers=own.registry if own else None,
            routes_by=kind.registry if kind else None,
            adapters=Adapters(api.name, self._adapters[api.name], self._down[api.name]),
            storage=self._stores,
        )
        return made

    def _configured(self, kind: _Kind) -> Iterable[tuple[BaseModel, str]]:
        """The run config's resources of a kind, each with its provider, except those whose provider is off."""
        for given in self.plan.resources.get(kind.api.name, ()):
            provider_id = owner_of(given, kind.table.providers)
            if provider_id is not None:
                yield given, provider_id

    def _kept(self, api: str) -> Iterator[BaseModel]:
        """The run config's resources that the provider of an API keeps itself, except those whose provider is off."""
        if (kind := discovery.load_api(api).kept) is not None:
            owners = self.provider_ids(kind.served_by)
            for given in self.plan.resources.get(api, ()):
                if owner_of(given, owners) is not None:
                    yield given

    def _construct(self, planned: PlannedProvider) -> None:
        provider_id, kind = planned.provider_id, self._kinds.get(planned.api)
        transport = self._transport(provider_id) if self._transport else None
        http = HttpClient(provider_id, network=planned.network, transport=transport)
        place = planned.api, provider_id
        running = RunningProvider(
            planned,
            http=http,
            serve_listed=partial(kind.registry.serve_listed, provider_id)
            if kind and kind.registry.asks_providers
            else None,
            lost=partial(self.instance.forget, place),
            changed=lambda: self.on_change(),
        )
        self._running.append(running)
        if kind is not None:
            kind.listings.providers.setdefault(provider_id, running)
        context = ProviderContext(
            provider_id=provider_id,
            spec=planned.spec,
            http=http,
            storage=self._stores,
            state_dir=self._state_dir / planned.api / provider_id,
            tasks=running.tasks,
            stack=self,
            find_api=lambda protocol: self._needed_api(planned, protocol),
            find_optional_api=lambda protocol: self._optional_api(planned, protocol),
            find_jobs=lambda: Jobs(self._jobs, running.name, lambda: running.phase == "ready"),
            find_loop=partial(self.instance.leads_back, place),
            registered=tuple(self._kept(planned.api)),
            list_changed=running.ask_soon,
            models_dir=_models_dir(),
            configured_key=configured_key(planned),
        )
        if not running.construct(context):
            self._down[planned.api][provider_id] = running.outage
        else:
            self._adapters[planned.api][provider_id] = running.adapter

    def _needed_api(self, planned: PlannedProvider, protocol: type) -> Any:
        """The result of `context.api(Protocol)`: a routed API; the plan has checked that it exists."""
        return self.api(_api_name(protocol, planned.spec.needs, planned))

    def _optional_api(self, planned: PlannedProvider, protocol: type) -> Any:
        """The result of `context.optional_api(Protocol)`: a routed API, or None if no provider serves it."""
        name = _api_name(protocol, planned.spec.may_use, planned)
        return self._apis.get(name) if self.plan.of(name) or is_registry(discovery.load_api(name)) else None

    async def _start_all(self) -> None:
        """Start every provider and list what each serves, all at once."""
        try:
            listings = [kind.listings.ask_all_first() for kind in self._kinds.values()]
            starting = [self._start_one(running) for running in self._running]
            for failure in await asyncio.gather(*listings, *starting, return_exceptions=True):
                if isinstance(failure, Exception):
                    log.error("part of the start failed", exc_info=failure)  # a bug of ours; the others continue
            for kind in self._kinds.values():
                if unresolved := kind.table.unresolved():
                    first = {name: reason.message for name, reason in list(unresolved.items())[:_MAX_LOGGED_NAMES]}
                    log.warning("names that are not resolved yet", extra={"count": len(unresolved), "first": first})
            self._check_default_model()
        finally:
            self.settled.set()

    def _check_default_model(self) -> None:
        """Warn about a `default_model` that nobody serves: another one then comes first."""
        name, models = self._run.default_model, self._models()
        if not name or models is None:
            return
        try:
            if models.table.find(name, None) is not None:
                return
            error = models.table.unknown(name, None)
        except StackError as ambiguous:
            error = ambiguous
        log.warning("`default_model` has no effect", extra={"error": error.message, "hint": error.hint})

    def _models(self) -> _Kind | None:
        """The kind of resource that may have aliases; None if nothing that is mounted has it."""
        return next((one for one in self._kinds.values() if one.registry.resource.has_aliases), None)

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
        self._adapters[running.planned.api][running.id] = running.adapter
        del self._down[running.planned.api][running.id]
        await running.ask()
        self._look_after(running)

    def _declare_aliases(self) -> None:
        """Declare the aliases of the command line. A target may still be unknown if a remote provider has not listed
        its models yet. Raises NotFound if there is no such provider, RequestError for an ambiguous target.
        """
        if not self._aliases:
            return
        kind = self._models()
        if kind is None:
            raise RequestError(f"The alias `{next(iter(self._aliases))}` needs the API inference, which is not mounted")
        kind.table.declare(Alias(name=name, target=target) for name, target in self._aliases.items())
        unresolved = kind.table.unresolved()
        may_be_listed = any(planned.spec.kind == "remote" for planned in self.plan.of(kind.registry.resource.served_by))
        for name, target in self._aliases.items():
            if name in unresolved and not (may_be_listed and isinstance(unresolved[name], NotFound)):
                raise kind.table.unknown(target, None) if isinstance(unresolved[name], NotFound) else unresolved[name]


def _models_dir() -> Path | None:
    """Where models are that the user downloaded or imported; None for a user without a home."""
    try:
        return models_dir()
    except StackError:
        return None


def configured_key(planned: PlannedProvider) -> str | None:
    """The `api_key` of its config, if that has a secret field of this name."""
    key = getattr(planned.config, "api_key", None)
    return key.get_secret_value() if isinstance(key, SecretStr) else None


def _api_name(protocol: type, names: Iterable[str], planned: PlannedProvider) -> str:
    """The name, among those that a spec lists, of the API with this Protocol. Raises LookupError if it is not there."""
    for name in names:
        if discovery.load_api(name).protocol is protocol:
            return name
    raise LookupError(f"{planned.spec.provider_type} asks for {protocol.__name__}, which its spec does not list so")


def _own_routing(api: str, name: str, usual: type) -> Any:
    """`ROUTER` or `REGISTRY` of `runtime/routing/<api>.py`, if an API's routing has logic of its own; otherwise the
    usual class.
    """
    module = f"runtime.routing.{api}"
    return getattr(importlib.import_module(module), name, usual) if importlib.util.find_spec(module) else usual
