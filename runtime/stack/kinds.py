"""The kinds of resources that a stack registers: for each its table, its registry and who lists it."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from runtime.access import SYSTEM
from runtime.apis._api import Api
from runtime.apis._price import Price
from runtime.apis._resources import Resource
from runtime.config.resources import owner_of
from runtime.errors import NotFound, RequestError, StackError
from runtime.routing.declared import ResourceAlias
from runtime.routing.entry import Entry
from runtime.routing.models import ModelsRegistry
from runtime.routing.registrations import Registrations
from runtime.routing.registry import Registry
from runtime.routing.table import ResourceTable
from runtime.stack.listings import ProviderListings
from runtime.stack.plan import Plan
from runtime.stack.providers import Listed
from runtime.storage.kv import KeyValueStore

log = logging.getLogger(__name__)
_MAX_LOGGED_NAMES = 20


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of resource. api: the API that registers it. listings: the providers that list such resources."""

    api: Api
    table: ResourceTable
    registry: Registry
    listings: ProviderListings

    def registered_with(self, provider_id: str) -> list[Entry]:
        """What users have registered with a provider."""
        kept = self.table.names.kept.values()
        return [entry for entry in kept if entry.provider_id == provider_id and entry.source == "registered"]

    def listed_by(self, provider_id: str) -> Listed | None:
        """What a provider may list; None where this kind is not listed."""
        if not self.registry.lists_with:
            return None
        serve = partial(self.registry.serve_listed, provider_id)
        return Listed(method=self.registry.lists_with, what=self.table.plural, serve=serve)


class Kinds:
    """The kinds of one plan, each under the name of the API whose providers own its resources."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._by_owner: dict[str, Kind] = {}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._by_owner.values())

    def not_asked(self) -> list[Kind]:
        """Those whose providers were not asked for their first lists."""
        return [kind for kind in self if not kind.listings.are_asked]

    def owned_by(self, api: str) -> Kind | None:
        """The kind of resource that the providers of an API own; None where they own none that is registered."""
        return self._by_owner.get(api)

    def registered_by(self, api: Api) -> Kind | None:
        """The kind of resource that an API registers; None where it registers none."""
        return self._by_owner.get(api.resource.served_by) if api.resource else None

    async def open(self, api: Api, resource: Resource, kept_in: KeyValueStore) -> Kind:
        """Make the table and the registry of one kind of resource, with what was registered before. Raises Unavailable
        where that cannot be read.
        """
        listed_at = next((one.route.path for one in api.operations() if one.route.registry == "list"), "")
        table = ResourceTable(resource, listed_at=listed_at)
        vendors = {planned.provider_id: planned.spec.name for planned in self._plan.of(resource.served_by)}
        served_by = resource.served_by
        off, would_serve = self._plan.turned_on_by(served_by), self._plan.would_serve(served_by)
        table.set_providers(vendors, vendors=vendors, off=off, would_serve=would_serve)
        listings = ProviderListings(keep=resource.is_kept_by_owner)
        registrations = Registrations(table, kept_in, listings)
        registry = own_routing(api.name, "REGISTRY", Registry)(api, table, registrations, listings)
        await registrations.load(registry.restored)
        kind = self._by_owner[served_by] = Kind(api=api, table=table, registry=registry, listings=listings)
        return kind

    async def add_configured(self, kinds: Iterable[Kind]) -> None:
        """Add the run config's resources of some kinds, and ask the providers in this process what they list."""
        for kind in kinds:
            kind.registry.add_configured(self._configured(kind))
            providers = kind.listings.providers.values()
            await kind.listings.ask(one for one in providers if one.planned.spec.kind == "inline")

    def declare_aliases(self, aliases: Mapping[str, str]) -> None:
        """Declare the aliases of the command line. A target may still be unknown if a remote provider has not listed
        its models yet. Raises NotFound if there is no such provider, RequestError for an ambiguous target.
        """
        if not aliases:
            return
        kind = self._with_aliases()
        if kind is None:
            raise RequestError(f"The alias `{next(iter(aliases))}` needs the API inference, which is not mounted")
        kind.table.declare(ResourceAlias(name=name, target=target) for name, target in aliases.items())
        unresolved = kind.table.unresolved()
        owners = self._plan.of(kind.registry.resource.served_by)
        may_be_listed = any(planned.spec.kind == "remote" for planned in owners)
        for name, target in aliases.items():
            if name in unresolved and not (may_be_listed and isinstance(unresolved[name], NotFound)):
                raise kind.table.unknown(target, SYSTEM) if isinstance(unresolved[name], NotFound) else unresolved[name]

    def price_of(self, provider_id: str, model: str, resource: str) -> Price | None:
        """See `Prices`; None where there are no models."""
        for kind in self:
            if isinstance(kind.registry, ModelsRegistry):
                return kind.registry.prices(provider_id, model, resource)
        return None

    def put_first(self, model: str) -> None:
        """Begin the list of models with this one."""
        if models := self._with_aliases():
            models.table.put_first(model)

    def warn_of_unresolved(self, default_model: str | None) -> None:
        """Log what is not resolved once all providers were asked: declared names, and a `default_model` that nobody
        serves, so that another one comes first.
        """
        for kind in self:
            if unresolved := kind.table.unresolved():
                first = {name: reason.message for name, reason in list(unresolved.items())[:_MAX_LOGGED_NAMES]}
                log.warning("names that are not resolved yet", extra={"count": len(unresolved), "first": first})
        if default_model and (models := self._with_aliases()) and (error := _unserved(models.table, default_model)):
            log.warning("`default_model` has no effect", extra={"error": error.message, "hint": error.hint})

    def _with_aliases(self) -> Kind | None:
        """The kind of resource that may have aliases; None if nothing that is mounted has it."""
        return next((one for one in self if one.registry.resource.has_aliases), None)

    def _configured(self, kind: Kind) -> Iterable[tuple[BaseModel, str]]:
        """The run config's resources of a kind, each with its provider, except those whose provider is off."""
        for given in self._plan.resources.get(kind.api.name, ()):
            provider_id = owner_of(given, kind.table.providers)
            if provider_id is not None:
                yield given, provider_id


def own_routing(api: str, name: str, usual: type) -> Any:
    """`ROUTER` or `REGISTRY` of `runtime/routing/<api>.py`, if an API's routing has logic of its own; otherwise the
    usual class.
    """
    module = f"runtime.routing.{api}"
    return getattr(importlib.import_module(module), name, usual) if importlib.util.find_spec(module) else usual


def _unserved(table: ResourceTable, name: str) -> StackError | None:
    """Why nobody serves a name; None where somebody does."""
    try:
        return table.unknown(name, SYSTEM) if table.find(name, SYSTEM) is None else None
    except StackError as ambiguous:
        return ambiguous
