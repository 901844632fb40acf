"""The operations on the resources of one kind: list, get, register, remove, and resolving a name.

Works for every kind. A kind with rules of its own has a subclass, which `runtime/routing/<api>.py` names as `REGISTRY`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from runtime.access import SYSTEM, Caller, as_owner
from runtime.apis._api import Api, Operation
from runtime.apis._request import Request
from runtime.apis._resources import Resource
from runtime.context import current
from runtime.errors import Conflict, RequestError, Unavailable
from runtime.routing.entry import Entry
from runtime.routing.of_run_config import completed, said_otherwise
from runtime.routing.registrations import Registrations
from runtime.routing.table import Declared, ResourceTable
from runtime.similar import hint_for_provider


class Listings(Protocol):
    """Asks providers for their lists of resources, and about single ones."""

    async def wait_for_first(self) -> None:
        """Returns once every provider has been asked, or after a limited time."""
        ...

    async def ask_again(self, provider_id: str) -> None:
        """Ask one provider now, unless it was just asked. Never raises if the provider fails."""
        ...

    async def check_registration(self, entry: Entry) -> None:
        """Ask the provider of a resource whether it can be registered. Raises RequestError."""
        ...

    def trouble(self, provider_id: str) -> str:
        """Why a provider's list is not available, and since when; empty if it is."""
        ...


class Registry:
    """Implements the operations of an API that registers resources, for the caller of the current request.

    lists_with: the method by which providers list resources of this kind, empty if they do not. listings: asks them.
    may_be_paths: whether a name may be a path on a provider's disk, which a proxy in front may spoil: some make one
    slash of several.
    """

    lists_with: ClassVar[str] = ""
    may_be_paths: ClassVar[bool] = False

    def __init__(self, api: Api, table: ResourceTable, registrations: Registrations, listings: Listings) -> None:
        assert api.resource is not None, "an API that registers nothing has no registry"
        self.resource: Resource = api.resource
        self.title = table.title
        by_name = [one.route.path for one in api.operations() if one.route.registry in ("get", "remove")]
        self._may_hold_slashes = all(f"{{{self.resource.id_field}:path}}" in path for path in by_name)
        self._table = table
        self._registrations = registrations
        self._listings = listings

    def method(self, operation: Operation) -> Callable[[Any], Awaitable[Any]]:
        """The method for an operation whose route names a `registry` action."""
        match operation.route.registry:
            case "list":
                return partial(self.list_all, operation)
            case "get":
                return self.get
            case "register":
                return self.register
            case "check":
                return self.check
            case _:
                return self.remove

    def serve_listed(self, provider_id: str, listed: Iterable[Any]) -> str:
        """Replace the resources that a provider lists. Returns a note about those that were left out. Does nothing for
        kinds that providers do not list.
        """
        return ""

    def as_served(self, entry: Entry) -> Entry:
        """A resource with what follows from others of the table; by default, as it is there."""
        return entry

    async def list_all(self, operation: Operation, request: Request) -> Any:
        """Every resource that the caller may see."""
        assert operation.route.returns is not None, f"{operation.name} lists resources without saying `returns`"
        shown = [self.resource.shown(self.as_served(entry)) for entry in self.seen()]
        return operation.route.returns(data=shown)

    def seen(self) -> list[Entry]:
        """Every resource that the caller may see, under each of its names."""
        return self._table.entries(_user())

    def hint_for_kind(self, kind: str) -> str:
        """Names some resources of a kind that the caller may see, for those who asked for one of another kind."""
        few = self._table.few(_user(), kind=kind)
        return f"of this type: {few}" if few else f"none of this type is served: GET {self._table.listed_at} lists all"

    def would_serve(self) -> Mapping[str, str]:
        """The resources that only providers have that are off, each with how to turn one on."""
        return {
            name: turn_on for name, turn_on in self._table.would_serve.items() if self._table.find(name, SYSTEM) is None
        }

    async def get(self, request: Request) -> Any:
        """One resource. Raises as `resolve` does."""
        return self.resource.shown(await self.resolve(getattr(request, self.resource.id_field)))

    async def register(self, request: Request) -> Any:
        """Register a resource; it is on disk when this returns. Raises RequestError, and Conflict for a taken name."""
        entry = self.entry_of(request)
        await self._check(entry)
        return self.resource.shown(self.as_served(await self._registrations.add(entry, _user())))

    async def check(self, request: Request) -> None:
        """Raises what `register` would raise, as far as that can be known before anything is kept."""
        await self._check(self.entry_of(request))

    async def remove(self, request: Request) -> None:
        """Remove a registration. Raises NotFound, and Conflict for what was not registered."""
        await self._registrations.remove(getattr(request, self.resource.id_field), _user())

    @property
    def providers(self) -> tuple[str, ...]:
        """Those that may own resources of the kind, in the run config's order."""
        return self._table.providers

    def find(self, name: str) -> Entry | None:
        """The resource that a name means, None where there is none; nobody is asked. Raises RequestError if a bare name
        is ambiguous.
        """
        return self._table.find(name, _user())

    async def resolve(self, name: str) -> Entry:
        """The resource that a name means. Raises NotFound with similar names, Unavailable while a declared name is not
        resolved, RequestError if a bare name is ambiguous.
        """
        entry = self._table.find(name, _user())
        if entry is None:
            raise self._table.unknown(name, _user())
        return self.as_served(entry)

    def entry_of(self, request: Request) -> Entry:
        """The entry that a request registers, owned by the caller; under a name of the run config, with facts that the
        request leaves out as they are there. Raises RequestError for an invalid name and for an unknown provider,
        Unavailable if there is no provider.
        """
        self._check_name(getattr(request, self.resource.id_field))
        provider_id = getattr(request, "provider_id", None) or self.only_provider(request)
        self._check_provider(provider_id)
        entry = self._entry(request, provider_id, source="registered", owner=as_owner(_user()))
        present = self._table.of_run_config(entry.id, _user())
        return entry if present is None else completed(entry, request, present)

    def restored(self, entry: Entry) -> Entry:
        """A stored entry of an earlier version, with defaults for newer facts. Raises ValueError, TypeError,
        LookupError or AttributeError if it cannot be shown.
        """
        defaults = self._facts_of(self.resource.entry.model_construct())
        entry = replace(entry, facts={**defaults, **entry.facts})
        self.resource.shown(entry)
        return entry

    def configured(self, given: BaseModel, provider_id: str) -> Entry | Declared:
        """The entry, or declared name, for a resource of the run config. provider_id: its owner, from the plan."""
        return self._entry(given, provider_id, source="config")

    def add_configured(self, configured: Iterable[tuple[BaseModel, str]]) -> None:
        """Add the resources of the run config, each with its provider. Raises Conflict for contradicting names."""
        made = [self.configured(given, provider_id) for given, provider_id in configured]
        for _, refusal in self._table.add_all(one for one in made if isinstance(one, Entry)):
            raise refusal
        self._table.declare(one for one in made if not isinstance(one, Entry))

    def only_provider(self, request: Request) -> str:
        """The only provider. Raises RequestError if there are several, Unavailable if there is none."""
        providers = self._providers()
        if len(providers) == 1:
            return providers[0]
        known = ", ".join(f"`{provider_id}`" for provider_id in providers)
        name = getattr(request, self.resource.id_field)
        raise RequestError(
            f"Several providers could serve `{name}`", hint=f"give `provider_id`: {known}", param="provider_id"
        )

    def _entry(self, given: BaseModel, provider_id: str, **fields: Any) -> Entry:
        name = getattr(given, self.resource.id_field)
        return Entry(
            id=name,
            provider_id=provider_id,
            provider_resource_id=getattr(given, self.resource.provider_id_field, None) or name,
            metadata=getattr(given, "metadata", None) or {},
            facts=self._facts_of(given),
            **fields,
        )

    def _facts_of(self, given: BaseModel) -> dict[str, Any]:
        """The fields of its model that are not in every entry, nulls included."""
        common = {self.resource.id_field, self.resource.provider_id_field, "provider_id", "metadata"}
        return given.model_dump(mode="json", exclude=common)

    async def _check(self, entry: Entry) -> None:
        self.resource.shown(entry)  # raises now; otherwise the list of all resources would fail
        self._check_said(entry)
        if self._registrations.takes(entry, _user()):
            await self._listings.check_registration(entry)

    def _check_said(self, entry: Entry) -> None:
        """Raises Conflict for what the run config says otherwise under the same name."""
        present = self._table.of_run_config(entry.id, _user())
        if present is not None:
            why = said_otherwise(self.as_served(entry), self.as_served(present), self.resource)
            if why:
                raise Conflict(
                    f"{self.title} `{entry.id}` {why}",
                    hint="change it there, or choose another name",
                    param=self.resource.id_field,
                )

    def _check_name(self, name: str) -> None:
        if not name.isprintable() or not name.strip():
            raise RequestError(
                f"A {self.title.lower()}'s name must consist of printable characters",
                param=self.resource.id_field,
            )
        *before, last = name.split("/")
        for why, is_lost in (
            ("clients remove `.` and `..` from paths", any(part in (".", "..") for part in (*before, last))),
            ("a path loses the `/` at its end", not last),
            ("paths lose a `/` that nothing stands before", "" in before and not self.may_be_paths),
        ):
            if is_lost:
                raise RequestError(
                    f"A {self.title.lower()} cannot be named `{name}`: {why}", param=self.resource.id_field
                )
        if "/" in name and not self._may_hold_slashes:
            raise RequestError(
                f"A {self.title.lower()}'s name cannot contain `/`: no path could name it", param=self.resource.id_field
            )

    def _providers(self) -> tuple[str, ...]:
        if not self._table.providers:
            raise Unavailable(f"The API {self.resource.served_by} is not available: no provider is configured")
        return self._table.providers

    def _check_provider(self, provider_id: str) -> None:
        providers = self._providers()
        if provider_id not in providers:
            raise RequestError(
                f"No {self.resource.served_by} provider has the id `{provider_id}`",
                hint=hint_for_provider(provider_id, providers, self._table.off),
                param="provider_id",
            )


def _user() -> Caller:
    return current().user
