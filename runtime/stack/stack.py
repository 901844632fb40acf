"""Carries out a plan: builds routers and providers, starts them, and ends them in reverse.

`open()` imports adapters and constructs everything, which is quick; `start()` does the slow work (weights, upstream
model lists) once the server answers. A provider that fails is kept out with its reason, and the rest runs.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runtime import discovery
from runtime.apis.inspect import RouteInfo
from runtime.apis.providers import ProviderHealth, ProviderInfo
from runtime.config.redaction import redact
from runtime.config.run_config import RunConfig
from runtime.errors import RequestError, StackError, Unavailable
from runtime.http_client import HttpClient, Transport
from runtime.plan import Plan, PlannedProvider, owner_of
from runtime.provider import HasHealth, ListsModels, Loads, ProviderContext, Starts, Stops, Tasks, healthy, unhealthy
from runtime.routing.forward import Owners
from runtime.routing.registrations import Registrations
from runtime.routing.table import Entry, ResourceTable
from runtime.storage.stores import Stores

log = logging.getLogger(__name__)
_RETRY_S = 5.0
_HEALTH_LIMIT_S = 3.0


@dataclass
class _Running:
    """A provider that was planned, and how far it has come. adapter: None when it could not be constructed."""

    planned: PlannedProvider
    tasks: Tasks
    http: HttpClient
    adapter: Any = None
    phase: str = "starting"
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class _Registry:
    """Who owns the resources of one kind, for every API that is routed by them. apis: their names; implementation:
    of the API that registers them; listing: providers that may tell what they serve, by id.
    """

    table: ResourceTable
    registrations: Registrations
    implementation: Any
    apis: tuple[str, ...]
    listing: dict[str, Any]


class Stack:
    """A running stack: `api(name)` is the routed implementation of an API.

    state_dir: where providers and stores keep their files. aliases: more names for models, by what they stand for.
    transport: how HTTP leaves, for recordings and tests; None is the network.
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
        self._stores = Stores(run.storage, state_dir)
        self._running: list[_Running] = []
        self._apis: dict[str, Any] = {}
        self._registries: dict[str, _Registry] = {}
        self._adapters: dict[str, dict[str, Any]] = {}
        self._down: dict[str, dict[str, str]] = {}
        self._tasks = Tasks("stack")
        self.settled = asyncio.Event()

    async def open(self) -> None:
        """Construct every router and provider. Raises only for what stops the whole stack, such as storage that
        cannot be opened.
        """
        try:
            await self._open()
        except BaseException:
            await self.close()
            raise

    async def _open(self) -> None:
        await self._stores.open()
        for name in dict.fromkeys(api.routed_by for api in self.plan.apis.values()):
            if name is not None:
                await self._open_registry(name)
        for planned in self.plan.providers:
            self._construct(planned)
        self._register_configured()
        local = [planned.provider_id for planned in self.plan.providers if planned.spec.kind == "inline"]
        for registry in self._registries.values():
            await registry.implementation.refresh(local)
        self._register_aliases()

    def start(self) -> None:
        """Begin the slow work in the background; `settled` is set when every provider has started or failed."""
        self._tasks.spawn(self._start_all(), name="start providers")

    async def close(self) -> None:
        """Stop providers in reverse order and release everything; a failure in one does not keep the next from
        stopping.
        """
        await self._tasks.close()
        for running in reversed(self._running):
            await self._stop_one(running)
            await running.http.close()
        await self._stores.close()

    def api(self, name: str) -> Any:
        """The implementation of a mounted API. Raises Unavailable where its only provider could not be built."""
        implementation = self._apis.get(name)
        if implementation is None:
            reason = "; ".join(self._down.get(name, {}).values()) or "no provider is configured"
            raise Unavailable(f"The API {name} is not available: {reason}")
        return implementation

    def routes(self) -> list[RouteInfo]:
        """Every mounted route with the provider types behind it."""
        found = []
        for api in self.plan.apis.values():
            behind = self._registries[api.name].apis if api.name in self._registries else (api.name,)
            types = [planned.spec.provider_type for name in behind for planned in self.plan.of(name)]
            for operation in api.operations():
                for method, path, deprecated in operation.route.mounts():
                    found.append(
                        RouteInfo(route=path, method=method, provider_types=types, api=api.name, deprecated=deprecated)
                    )
        return found

    async def provider_infos(self) -> list[ProviderInfo]:
        """Every provider with its redacted config and its health, all asked at once."""
        healths = await asyncio.gather(*(self._health(running) for running in self._running))
        return [
            ProviderInfo(
                api=running.planned.api,
                provider_id=running.planned.provider_id,
                provider_type=running.planned.spec.provider_type,
                config=redact(running.planned.config.model_dump(mode="json", exclude_none=True)),
                health=health,
            )
            for running, health in zip(self._running, healths, strict=True)
        ]

    def degraded(self) -> dict[str, str]:
        """Providers that did not start: id -> reason."""
        return {running.planned.provider_id: running.reason for running in self._running if running.phase == "failed"}

    def loading(self) -> dict[str, float]:
        """Providers that are still loading what requests wait for: id -> how many seconds they wait at most."""
        return {
            running.planned.provider_id: running.adapter.load_timeout_s
            for running in self._running
            if running.phase == "starting" and isinstance(running.adapter, Loads)
        }

    async def check_required(self, provider_ids: Iterable[str]) -> None:
        """Raises Unavailable with the reason of every one of these providers that is not ready."""
        problems = []
        for running in self._running:
            if running.planned.provider_id in provider_ids and (health := await self._health(running)).state != "ready":
                problems.append(f"`{running.planned.provider_id}`: {health.message}")
        if problems:
            raise Unavailable(f"a required provider is not ready: {'; '.join(problems)}")

    async def _open_registry(self, name: str) -> None:
        """The table and the registry of one kind of resource, and a router for each API that is routed by it."""
        apis = tuple(api.name for api in self.plan.apis.values() if api.routed_by == name)
        listing: dict[str, Any] = {}
        table = ResourceTable(name.removesuffix("s"), plural=name)
        ids = [planned.provider_id for api in apis for planned in self.plan.of(api)]
        table.serve_with(dict.fromkeys(ids))
        registrations = Registrations(table, self._stores.kv("metadata"))
        implementation = _found_in_routing(name, "REGISTRY")(table, registrations, listing)
        self._registries[name] = _Registry(
            table=table, registrations=registrations, implementation=implementation, apis=apis, listing=listing
        )
        self._apis[name] = implementation
        for api in apis:
            owners = Owners(self._adapters.setdefault(api, {}), self._down.setdefault(api, {}))
            self._apis[api] = _found_in_routing(api, "ROUTER")(implementation, owners)
        await registrations.load()

    def _registry_of(self, api: str) -> _Registry | None:
        routed_by = self.plan.apis[api].routed_by if api in self.plan.apis else None
        return self._registries[routed_by] if routed_by is not None else None

    def _construct(self, planned: PlannedProvider) -> None:
        provider_id = planned.provider_id
        http = HttpClient(provider_id, transport=self._transport(provider_id) if self._transport else None)
        running = _Running(planned=planned, tasks=Tasks(provider_id), http=http)
        self._running.append(running)
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
        )
        try:
            adapter = discovery.load(planned.spec.adapter, package=planned.spec.module)
            running.adapter = adapter(planned.config, context)
        except Exception as error:
            self._fail(running, error)
            return
        if api := self.plan.apis.get(planned.api):
            self._adapters.setdefault(planned.api, {})[provider_id] = running.adapter
            if (registry := self._registry_of(planned.api)) is not None:
                if isinstance(running.adapter, ListsModels):
                    registry.listing.setdefault(provider_id, running.adapter)
            else:
                self._apis.setdefault(api.name, running.adapter)

    def _needed_api(self, planned: PlannedProvider, protocol: type) -> Any:
        """What `context.api(Protocol)` gives: a routed API that the plan has made sure of."""
        return self.api(_listed_as(protocol, planned.spec.needs, planned))

    def _optional_api(self, planned: PlannedProvider, protocol: type) -> Any:
        """What `context.may(Protocol)` gives: a routed API, or None where nobody provides it."""
        return self._apis.get(_listed_as(protocol, planned.spec.may_use, planned))

    async def _start_all(self) -> None:
        """Start every provider and list what each serves, all at once; then list again every few minutes, and
        every few seconds where that failed: an upstream that comes back is served soon.
        """
        listings = [registry.implementation.refresh_first() for registry in self._registries.values()]
        starting = [self._start_one(running) for running in self._running if running.phase != "failed"]
        await asyncio.gather(*listings, *starting)
        for name, target in self._register_aliases().items():
            log.warning("alias of no model", extra={"alias": name, "model": target})
        self.settled.set()
        interval_s = self._run.server.registry_refresh_interval_seconds
        next_full = time.monotonic() + interval_s
        while True:
            await asyncio.sleep(min(_RETRY_S, interval_s))
            is_due = time.monotonic() >= next_full
            for registry in self._registries.values():
                await (registry.implementation.refresh() if is_due else registry.implementation.refresh_unlisted())
            if is_due:
                next_full = time.monotonic() + interval_s

    async def _start_one(self, running: _Running) -> None:
        planned = running.planned
        try:
            if isinstance(running.adapter, Starts):
                await running.adapter.start()
        except Exception as error:
            await self._give_up(running, error)
            return
        running.phase = "ready"
        log.info(
            "provider started", extra={"provider_id": planned.provider_id, "provider_type": planned.spec.provider_type}
        )
        registry = self._registry_of(planned.api)
        if registry is not None and isinstance(running.adapter, Starts):
            await registry.implementation.refresh([planned.provider_id])

    async def _give_up(self, running: _Running, error: Exception) -> None:
        """Take a provider that did not start out of the way, and let it release what it got as far as taking."""
        planned, adapter = running.planned, running.adapter
        self._adapters.get(planned.api, {}).pop(planned.provider_id, None)
        registry = self._registry_of(planned.api)
        if registry is not None and registry.listing.get(planned.provider_id) is adapter:
            del registry.listing[planned.provider_id]
        if self._apis.get(planned.api) is adapter:
            del self._apis[planned.api]
        self._fail(running, error)
        await self._stop_one(running)

    async def _stop_one(self, running: _Running) -> None:
        adapter, running.adapter = running.adapter, None
        await running.tasks.close()
        if isinstance(adapter, Stops):
            try:
                await adapter.stop()
            except Exception:
                log.exception("provider did not stop cleanly", extra={"provider_id": running.planned.provider_id})

    def _fail(self, running: _Running, error: Exception) -> None:
        planned = running.planned
        running.phase = "failed"
        running.reason = error.message if isinstance(error, StackError) else f"{type(error).__name__}: {error}"
        self._down.setdefault(planned.api, {})[planned.provider_id] = running.reason
        log.error(
            "provider not started",
            extra={"provider_id": planned.provider_id, "error": running.reason},
            exc_info=None if isinstance(error, StackError) else error,
        )

    async def _health(self, running: _Running) -> ProviderHealth:
        if running.phase == "failed":
            return unhealthy(running.reason)
        if running.phase == "starting":
            return unhealthy("still starting", state="starting")
        if not isinstance(running.adapter, HasHealth):
            return healthy()
        try:
            return await asyncio.wait_for(running.adapter.check_health(), _HEALTH_LIMIT_S)
        except TimeoutError:
            return unhealthy(f"no answer within {_HEALTH_LIMIT_S:.0f} s")
        except StackError as error:
            return unhealthy(error.message)
        except Exception as error:
            log.exception("health check failed", extra={"provider_id": running.planned.provider_id})
            return unhealthy(f"{type(error).__name__}: {error}")

    def _register_configured(self) -> None:
        """Models that the run config names. One whose provider is off is left out."""
        if "models" not in self._registries:
            return
        table = self._registries["models"].table
        for model in self._run.registered_resources.models:
            provider_id = owner_of(model, table.providers)
            if provider_id is None:
                continue
            table.keep(
                Entry(
                    id=model.model_id,
                    provider_id=provider_id,
                    provider_resource_id=model.provider_model_id or model.model_id,
                    kind=model.model_type,
                    metadata=model.metadata,
                    source="config",
                )
            )

    def _register_aliases(self) -> dict[str, str]:
        """Names from the command line. Returns those whose model is not known yet: the bare name of a remote one, whose
        provider has not told what it serves. Raises NotFound where there is no provider left that could.
        """
        unknown = {}
        for name, target in self._aliases.items():
            registry = self._registries.get("models")
            if registry is None:
                raise RequestError(f"The alias `{name}` needs the API inference, which is not mounted")
            table = registry.table
            entry = table.find(target) or table.split(target)
            if entry is not None:
                table.keep(replace(entry, id=name, source="config"))
            elif any(planned.spec.kind == "remote" for api in registry.apis for planned in self.plan.of(api)):
                unknown[name] = target
            else:
                raise table.unknown(target)
        return unknown


def _listed_as(protocol: type, names: Iterable[str], planned: PlannedProvider) -> str:
    """The name, among those that a spec lists, of the API with this Protocol. Raises LookupError for none of them."""
    for name in names:
        if discovery.load_api(name).protocol is protocol:
            return name
    raise LookupError(f"{planned.spec.provider_type} asks for {protocol.__name__}, which its spec does not list so")


def _found_in_routing(api: str, name: str) -> Any:
    """`ROUTER` or `REGISTRY` of `runtime/routing/<api>.py`."""
    return getattr(importlib.import_module(f"runtime.routing.{api}"), name)
