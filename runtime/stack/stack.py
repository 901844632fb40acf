"""Carries out a plan: builds routers and providers, starts them, and ends them in reverse.

`open()` imports adapters and constructs everything, which is quick; `start()` does the slow work (weights, upstream
model lists) once the server answers. A provider that fails is kept out with its reason, and the rest runs.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from runtime import discovery
from runtime.apis.inspect import RouteInfo
from runtime.apis.providers import ProviderInfo
from runtime.config.redaction import redact
from runtime.config.run_config import RegisteredModel, RunConfig
from runtime.errors import NotFound, RequestError, Unavailable
from runtime.http.client import HttpClient
from runtime.http.transport import Transport
from runtime.provider import Loads, ProviderContext, Starts, Tasks
from runtime.routing.declared import Alias, FirstListed, Listed
from runtime.routing.forward import Owners, complete
from runtime.routing.registrations import Registrations
from runtime.routing.table import Declared, Entry, ResourceTable
from runtime.stack.instance import Instance
from runtime.stack.listings import Listings, look_after
from runtime.stack.plan import Plan, PlannedProvider, owner_of
from runtime.stack.providers import RunningProvider
from runtime.storage.stores import Stores

log = logging.getLogger(__name__)
_TOLD = 20


@dataclass(frozen=True, kw_only=True)
class _Registry:
    """Who owns the resources of one kind, for every API that is routed by them. apis: their names; implementation:
    of the API that registers them; listings: which of its providers are asked what they serve.
    """

    table: ResourceTable
    implementation: Any
    apis: tuple[str, ...]
    listings: Listings


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
        self._running: list[RunningProvider] = []
        self._apis: dict[str, Any] = {}
        self._registries: dict[str, _Registry] = {}
        self._adapters: dict[str, dict[str, Any]] = {}
        self._down: dict[str, dict[str, str]] = {}
        self._tasks = Tasks("stack")
        self._repeated = {name for name, count in Counter(self.provider_ids()).items() if count > 1}
        self.instance = Instance()
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
        for registry in self._registries.values():
            providers = registry.listings.providers.values()
            await registry.listings.ask(one for one in providers if one.planned.spec.kind == "inline")
        self._declare_aliases()

    def start(self) -> None:
        """Begin the slow work in the background, and look after every provider from now on. `settled` is set when each
        has started or failed.
        """
        self._tasks.spawn(self._start_all(), name="start providers")
        interval_s = self._run.server.registry_refresh_interval_seconds
        for running in self._running:
            if running.can_be_asked:
                self._tasks.spawn(look_after(running, interval_s=interval_s), name=f"look after {running.name}")

    async def close(self) -> None:
        """Stop providers in reverse order and release everything; a failure in one does not keep the next from
        stopping.
        """
        await self._tasks.close()
        for running in reversed(self._running):
            await running.close()
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

    async def provider_infos(self, *, provider_id: str | None = None, api: str | None = None) -> list[ProviderInfo]:
        """Every provider, or those of one id or API, with its redacted config and its health, all asked at once."""
        chosen = [one for one in self._running if provider_id in (None, one.id) and api in (None, one.planned.api)]
        healths = await asyncio.gather(*(running.health() for running in chosen))
        return [
            ProviderInfo(
                api=running.planned.api,
                provider_id=running.id,
                provider_type=running.planned.spec.provider_type,
                config=redact(running.planned.config.model_dump(mode="json", exclude_none=True)),
                health=health,
            )
            for running, health in zip(chosen, healths, strict=True)
        ]

    def provider_ids(self) -> list[str]:
        """One for each provider; an id of several APIs comes several times."""
        return [planned.provider_id for planned in self.plan.providers]

    def degraded(self) -> dict[str, str]:
        """Providers that did not start or have lost what they need, and why: by id, or by `api/id` where several APIs
        have one of that id.
        """
        return {self._short_name(running): running.trouble for running in self._running if running.trouble}

    def loading(self) -> dict[str, float]:
        """Providers that are still loading what requests wait for: name -> how many seconds they wait at most."""
        return {
            self._short_name(running): running.adapter.load_timeout_s
            for running in self._running
            if running.phase == "starting" and isinstance(running.adapter, Loads)
        }

    async def check_required(self, names: Iterable[str]) -> None:
        """Raises Unavailable with the reason of every one of these providers that is not ready. names: ids, each of
        all providers that have it, or `api/id` of one.
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

    async def _open_registry(self, name: str) -> None:
        """The table and the registry of one kind of resource, and a router for each API that is routed by it."""
        apis = tuple(api.name for api in self.plan.apis.values() if api.routed_by == name)
        table = ResourceTable(name.removesuffix("s"), plural=name)
        ids = [planned.provider_id for api in apis for planned in self.plan.of(api)]
        table.serve_with(dict.fromkeys(ids))
        registrations, listings = Registrations(table, self._stores.kv("metadata")), Listings()
        implementation = _found_in_routing(name, "REGISTRY")(table, registrations, listings)
        self._registries[name] = _Registry(table=table, implementation=implementation, apis=apis, listings=listings)
        self._apis[name] = implementation
        for api in apis:
            owners = Owners(self._adapters.setdefault(api, {}), self._down.setdefault(api, {}))
            self._apis[api] = _found_in_routing(api, "ROUTER")(implementation, owners)
        await registrations.load()

    def _registry_of(self, api: str) -> _Registry | None:
        routed_by = self.plan.apis[api].routed_by if api in self.plan.apis else None
        return self._registries[routed_by] if routed_by is not None else None

    def _construct(self, planned: PlannedProvider) -> None:
        provider_id, registry = planned.provider_id, self._registry_of(planned.api)
        http = HttpClient(provider_id, transport=self._transport(provider_id) if self._transport else None)
        serve_listed = partial(registry.implementation.serve_listed, provider_id) if registry else None
        place = planned.api, provider_id
        running = RunningProvider(
            planned, http=http, serve_listed=serve_listed, lost=partial(self.instance.forget, place)
        )
        self._running.append(running)
        if registry is not None:
            registry.listings.providers.setdefault(provider_id, running)
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
            find_loop=partial(self.instance.leads_back, place),
            configured_key=_configured_key(planned),
        )
        if not running.construct(context):
            self._down.setdefault(planned.api, {})[provider_id] = running.trouble
        elif api := self.plan.apis.get(planned.api):
            adapter = complete(running.adapter, api, provider_id)
            self._adapters.setdefault(planned.api, {})[provider_id] = adapter
            if registry is None:
                self._apis.setdefault(api.name, adapter)

    def _needed_api(self, planned: PlannedProvider, protocol: type) -> Any:
        """What `context.api(Protocol)` gives: a routed API that the plan has made sure of."""
        return self.api(_api_name(protocol, planned.spec.needs, planned))

    def _optional_api(self, planned: PlannedProvider, protocol: type) -> Any:
        """What `context.may(Protocol)` gives: a routed API, or None where nobody provides it."""
        return self._apis.get(_api_name(protocol, planned.spec.may_use, planned))

    async def _start_all(self) -> None:
        """Start every provider and list what each serves, all at once."""
        try:
            listings = [registry.listings.ask_all_first() for registry in self._registries.values()]
            starting = [self._start_one(running) for running in self._running if running.phase != "failed"]
            for failure in await asyncio.gather(*listings, *starting, return_exceptions=True):
                if isinstance(failure, Exception):
                    log.error("part of the start failed", exc_info=failure)  # a bug of ours: the rest goes on
            for registry in self._registries.values():
                if unclear := registry.table.meaningless():
                    told = {name: reason.message for name, reason in list(unclear.items())[:_TOLD]}
                    log.warning("names that mean nothing yet", extra={"count": len(unclear), "first": told})
        finally:
            self.settled.set()

    async def _start_one(self, running: RunningProvider) -> None:
        if not await running.start():
            await self._give_up(running)
        elif isinstance(running.adapter, Starts):
            await running.ask()

    async def _give_up(self, running: RunningProvider) -> None:
        """Take a provider that did not start out of the way, and let it release what it got as far as taking."""
        adapter = self._adapters.get(running.planned.api, {}).pop(running.id, None)
        if adapter is not None and self._apis.get(running.planned.api) is adapter:
            del self._apis[running.planned.api]
        self._down.setdefault(running.planned.api, {})[running.id] = running.trouble
        await running.stop()

    def _register_configured(self) -> None:
        """Models that the run config names. One whose provider is off is left out."""
        if (registry := self._registries.get("models")) is None:
            return
        declared: list[Declared] = []
        entries: list[Entry] = []
        for model in self._run.registered_resources.models:
            provider_id = owner_of(model, registry.table.providers)
            if provider_id is None:
                continue
            if model.provider_model_id == "auto" or model.model_validation:
                declared.append(_declared(model, provider_id))
                continue
            entries.append(
                Entry(
                    id=model.model_id,
                    provider_id=provider_id,
                    provider_resource_id=model.provider_model_id or model.model_id,
                    kind=model.model_type,
                    metadata=model.metadata,
                    source="config",
                )
            )
        for _, refusal in registry.table.keep_all(entries):
            raise refusal
        registry.table.declare(declared)

    def _declare_aliases(self) -> None:
        """Names from the command line; what they stand for may come to be known later, where a remote provider has not
        told what it serves. Raises NotFound where there is none left that could, RequestError for what is ambiguous.
        """
        if not self._aliases:
            return
        registry = self._registries.get("models")
        if registry is None:
            raise RequestError(f"The alias `{next(iter(self._aliases))}` needs the API inference, which is not mounted")
        registry.table.declare(Alias(name=name, target=target) for name, target in self._aliases.items())
        unclear = registry.table.meaningless()
        may_come = any(planned.spec.kind == "remote" for api in registry.apis for planned in self.plan.of(api))
        for name, target in self._aliases.items():
            if name in unclear and not (may_come and isinstance(unclear[name], NotFound)):
                raise registry.table.unknown(target) if isinstance(unclear[name], NotFound) else unclear[name]


def _configured_key(planned: PlannedProvider) -> str | None:
    """The `api_key` of its config, where that has a secret of this name."""
    key = getattr(planned.config, "api_key", None)
    return key.get_secret_value() if isinstance(key, SecretStr) else None


def _declared(model: RegisteredModel, provider_id: str) -> Declared:
    """A model of the run config that depends on what its provider lists."""
    if model.provider_model_id == "auto":
        # A model of no stated type is for chat, as everywhere.
        kinds = ("", "llm") if model.model_type == "llm" else (model.model_type,)
        return FirstListed(name=model.model_id, provider_id=provider_id, kinds=kinds, metadata=model.metadata)
    wanted = model.provider_model_id or model.model_id
    return Listed(
        name=model.model_id, provider_id=provider_id, wanted=wanted, kind=model.model_type, metadata=model.metadata
    )


def _api_name(protocol: type, names: Iterable[str], planned: PlannedProvider) -> str:
    """The name, among those that a spec lists, of the API with this Protocol. Raises LookupError for none of them."""
    for name in names:
        if discovery.load_api(name).protocol is protocol:
            return name
    raise LookupError(f"{planned.spec.provider_type} asks for {protocol.__name__}, which its spec does not list so")


def _found_in_routing(api: str, name: str) -> Any:
    """`ROUTER` or `REGISTRY` of `runtime/routing/<api>.py`."""
    return getattr(importlib.import_module(f"runtime.routing.{api}"), name)
