"""Which provider owns which resource: the table that every router uses.

Entries come from the run config, from registrations, and from the lists of providers. Declared names, such as aliases,
are resolved from these, again after every change. For a caller, resources that the caller may not see do not exist.
Knows no provider, only ids, and nothing about models in particular.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from runtime.access import SYSTEM, Caller, may_see
from runtime.apis._resources import Resource
from runtime.errors import Conflict, NotFound, RequestError, StackError
from runtime.routing.allotment import Allotment
from runtime.routing.entry import Entry
from runtime.routing.listed_order import in_order
from runtime.routing.names import Names
from runtime.routing.of_run_config import is_of_run_config, where_from
from runtime.routing.seen_lists import SeenLists
from runtime.similar import SimilarNames, hint_if_off, hint_if_served_by_none_on

_FEW = 3
"""How many names a hint has."""


class Declared(Protocol):
    """A name that is resolved from the table's entries."""

    @property
    def name(self) -> str: ...

    @property
    def provider_id(self) -> str | None:
        """The provider whose list it depends on; None if it does not depend on one."""
        ...

    def find(self, table: ResourceTable) -> Entry:
        """The entry that the name means now. Raises StackError, which is then the answer to requests for it."""
        ...


class ResourceTable:
    """The resources of one kind. kind: what one is called. listed_at: the path that lists all, for hints. names: what
    each name means.

    changes: how often it has changed. Methods with a `user` answer for that caller; None sees everything.
    """

    def __init__(self, resource: Resource, *, listed_at: str = "") -> None:
        self.kind = resource.kind
        self.title = resource.kind.replace("_", " ").capitalize()
        self.plural = resource.config_key.replace("_", " ")
        self.id_field = resource.id_field
        self.listed_at = listed_at or f"/v1/{resource.config_key}"
        self._listed: dict[str, tuple[Entry, ...]] = {}
        self._declared: dict[str, Declared] = {}
        self._resolved: dict[str, Entry] = {}
        self._unresolved: dict[str, StackError] = {}
        self._lists = SeenLists()
        self._providers: tuple[str, ...] = ()
        self.vendors: Mapping[str, str] = {}
        self._allotment = Allotment(resource, listed_at=self.listed_at)
        self.off: Mapping[str, str] = {}
        self.would_serve: Mapping[str, str] = {}
        self._first = ""
        self._similar = SimilarNames()
        self.changes = 0
        self.names = Names(self.title, self.kind, declared=self._declared, resolved=self._resolved)

    def set_providers(
        self,
        provider_ids: Iterable[str],
        *,
        vendors: Mapping[str, str] | None = None,
        off: Mapping[str, str] | None = None,
        would_serve: Mapping[str, str] | None = None,
    ) -> None:
        """Set the providers that may own resources, in the run config's order. Called before anything is added: a name
        that begins with a provider's id belongs to it. vendors: the name of each one's type, such as `groq`. For
        messages, each with how to turn it on: off: providers that were not started; would_serve: resources that one of
        them has.
        """
        self.off, self.would_serve = off or {}, would_serve or {}
        self._providers, self.vendors = tuple(provider_ids), vendors or {}
        self._update()

    def put_first(self, name: str) -> None:
        """Begin every list with the resource that this name means, as soon as there is one: clients that were told no
        name take the first.
        """
        self._first = name
        self._lists.clear()

    @property
    def providers(self) -> tuple[str, ...]:
        return self._providers

    def entries(self, user: Caller) -> list[Entry]:
        """Every resource under each of its names: first what was put first, then as in `listed_order`.

        Callers who see the same get the same list object until something changes, if few others ask in between.
        """
        return self._lists.seen_by(user, self._made_for, has_owners=self._allotment.has_owners)

    def _made_for(self, user: Caller | None) -> list[Entry]:
        kept, resolved = self.names.kept, list(self._resolved.values())
        if user is not None:
            kept = {name: entry for name, entry in kept.items() if may_see(user, entry.owner)}
            resolved = [entry for entry in resolved if may_see(user, entry.owner)]
        return self._sorted(kept, resolved)

    def of_stack(self) -> Iterator[Entry]:
        """What the run config, the command line and users have named."""
        return itertools.chain(self.names.kept.values(), self._resolved.values())

    def few(self, user: Caller, *, kind: str | None = None) -> str:
        """The names of a few resources that the user may see, for messages. kind: None for all."""
        everything = itertools.chain(self.names.kept.items(), self.names.listed.items())
        seen = (name for name, entry in everything if kind in (None, entry.kind) and may_see(user, entry.owner))
        return ", ".join(f"`{name}`" for name in dict.fromkeys(itertools.islice(seen, _FEW)))

    def _sorted(self, kept: Mapping[str, Entry], resolved: Iterable[Entry]) -> list[Entry]:
        found = [entry for name, entry in (self.names.listed | dict(kept)).items() if name not in self._declared]
        return in_order([*found, *resolved], self._providers, first=self._id_of_first())

    def _id_of_first(self) -> str | None:
        try:
            entry = self.find(self._first, SYSTEM) if self._first else None
        except RequestError:  # several providers serve this name
            return None
        return entry.id if entry else None

    def find(self, name: str, user: Caller) -> Entry | None:
        """See `Names.find`."""
        return self.names.find(name, user)

    def split(self, name: str) -> Entry | None:
        """For an unlisted name: `provider/rest` means the resource `rest` of that provider, if it exists."""
        provider_id, slash, rest = name.partition("/")
        if slash and rest and provider_id in self._providers:
            return Entry(id=name, provider_id=provider_id, provider_resource_id=rest)
        return None

    def unknown(self, name: str, user: Caller) -> StackError:
        """The error for a name that is not served, with similar names, unless searching them recently took too long.
        For a declared name, the reason why it is not resolved.
        """
        if name in self._unresolved:
            try:
                self._declared[name].find(self)
            except StackError as error:  # a new exception each time: one that is raised twice keeps both tracebacks
                return error
        hint = (
            hint_if_off(name.partition("/")[0], self.off)
            or hint_if_served_by_none_on(name, self.would_serve)
            or self._similar.to(name, lambda: [entry.id for entry in self.entries(user)])
            or f"list all with GET {self.listed_at}{f', such as {few}' if (few := self.few(user)) else ''}"
        )
        return NotFound(
            f"{self.title} `{name}` is not served by any provider",
            hint=hint,
            param=self.kind,
            code=f"{self.kind}_not_found",
        )

    def lists(self, provider_id: str) -> bool:
        """Whether a provider's list is known and not empty. If so, a name that is not in it does not exist."""
        return bool(self._listed.get(provider_id))

    def listed_by(self, provider_id: str) -> tuple[Entry, ...] | None:
        """The resources that a provider lists, in its own order; None if its list is not known yet."""
        return self._listed.get(provider_id)

    def of_run_config(self, name: str, user: Caller) -> Entry | None:
        """The resource that has this id by the run config or by the command line; None where there is none."""
        entry = self._resolved.get(name) or self.names.kept.get(name)
        return entry if entry is not None and is_of_run_config(entry) and may_see(user, entry.owner) else None

    def find_listed(self, provider_id: str, resource: str) -> Entry | None:
        """The resource that a provider lists under its own name `resource`; None if it does not."""
        return self.names.listed.get(f"{provider_id}/{resource}")

    def declare(self, declared: Iterable[Declared]) -> None:
        """Add declared names. Raises Conflict for a name that is given twice."""
        for one in declared:
            if self._declared.setdefault(one.name, one) != one or self._is_configured(one.name):
                raise Conflict(f"{self.title} `{one.name}` is named twice", hint="choose another name for one of them")
        self._update()

    def declared(self, name: str) -> Declared | None:
        return self._declared.get(name)

    def unresolved(self) -> dict[str, StackError]:
        """The declared names that are not resolved at present, each with the reason."""
        return dict(self._unresolved)

    def add_all(self, entries: Iterable[Entry]) -> list[tuple[Entry, StackError]]:
        """Add many entries of the run config or of earlier registrations at once. Returns the refused ones, each with
        the reason; the others are served.
        """
        refused: list[tuple[Entry, StackError]] = []
        for entry in entries:
            try:
                if self.accepts(entry, SYSTEM):
                    self._keep(entry)
            except StackError as error:
                refused.append((entry, error))
        self._update()
        return refused

    def accepts(self, entry: Entry, user: Caller) -> bool:
        """Whether adding an entry changes anything; False if the run config already has the same.

        Raises Conflict if its name belongs to another resource, is a declared name, or begins with the id of another
        provider. The message does not describe a resource that the user may not see. An entry of the run config may
        have any name, and replaces a registration of that name.
        """
        present = self._resolved.get(entry.id) or self.names.kept.get(entry.id)
        if present is not None and not may_see(user, present.owner):
            raise self._taken(entry, "is already taken", "choose another name")
        if present is not None and present.full_id != entry.full_id and not _outranks(entry, present):
            raise self._taken(
                entry,
                f"is already registered with provider `{present.provider_id}`",
                "unregister it first, or choose another name",
            )
        if entry.source != "registered":
            return True
        if entry.id in self._unresolved:
            raise self._taken(entry, "is already a name of the run config or the command line", "choose another name")
        listed = self.names.listed.get(entry.id)
        if listed is not None and listed.full_id != entry.full_id:
            raise self._taken(entry, f"is already listed by provider `{listed.provider_id}`", "choose another name")
        prefix, slash, _ = entry.id.partition("/")
        if slash and prefix != entry.provider_id and prefix in self._providers:
            raise self._taken(
                entry,
                f"has a name that belongs to provider `{prefix}`, but its provider is `{entry.provider_id}`",
                f"choose a name that does not begin with `{prefix}/`",
            )
        return present is None or not is_of_run_config(present)

    def check_room(self, entry: Entry) -> None:
        """Raises RequestError as `Allotment.check_room` does, for an entry that takes no other's place."""
        if entry.id not in self.names.kept:
            self._allotment.check_room(entry)

    def _taken(self, entry: Entry, why: str, hint: str) -> Conflict:
        return Conflict(f"{self.title} `{entry.id}` {why}", hint=hint, param=self.id_field)

    def as_before(self, entry: Entry) -> Entry:
        """An entry that is registered again, with the owner and time of before, so that a user who changes another's
        registration does not become its owner.
        """
        present = self.names.kept.get(entry.id)
        if present is None or present.source != "registered":
            return entry
        return replace(entry, owner=present.owner, created=present.created)

    def add(self, entry: Entry) -> None:
        """Add an entry for which `accepts` returned True."""
        self._keep(entry)
        self._update()

    def registered(self, name: str, user: Caller) -> Entry:
        """The registration of this name. Raises NotFound, or Conflict for a resource of the run config or of a
        provider's list, which cannot be removed.
        """
        entry = self.names.kept.get(name)
        if entry is None or not may_see(user, entry.owner):
            entry = self.find(name, user)
        if entry is None:
            raise self.unknown(name, user)
        if entry.source != "registered":
            raise Conflict(
                f"{self.title} `{name}` comes from {where_from(entry)}",
                hint=f"change it there; only registered {self.plural} can be removed",
            )
        return entry

    def remove(self, name: str) -> None:
        """Remove a registration. name: the id of the entry that `registered` returned."""
        self._allotment.count(self.names.kept[name], -1)
        self.names.drop(name)
        self._update()

    def replace_listed(self, provider_id: str, entries: Iterable[Entry]) -> None:
        """Replace all resources that a provider lists."""
        known = {entry.id: entry for entry in self._listed.get(provider_id, ())}
        fresh = tuple(known.get(entry.id, entry) if _same(known.get(entry.id), entry) else entry for entry in entries)
        if fresh != self._listed.get(provider_id):
            self._listed[provider_id] = fresh
            self.names.replace_listed(itertools.chain.from_iterable(self._listed.values()))
            self._update()

    def _is_configured(self, name: str) -> bool:
        return name in self.names.kept and self.names.kept[name].source == "config"

    def _keep(self, entry: Entry) -> None:
        if (present := self.names.kept.get(entry.id)) is not None:
            self._allotment.count(present, -1)
        self.names.keep(entry)
        self._allotment.count(entry, 1)

    def _update(self) -> None:
        self.changes += 1
        self._resolve_declared()
        self._lists.clear()

    def _resolve_declared(self) -> None:
        """Resolve every declared name; repeated while it helps, since one may depend on another that comes later."""
        self._resolved.clear()
        self._unresolved.clear()
        waiting = list(self._declared.values())
        while waiting and len(still := [one for one in waiting if not self._resolve(one)]) < len(waiting):
            waiting = still

    def _resolve(self, declared: Declared) -> bool:
        try:
            entry = declared.find(self)
        except StackError as error:
            self._unresolved[declared.name] = error
            return False
        self._unresolved.pop(declared.name, None)
        self._resolved[declared.name] = entry
        return True


def _outranks(entry: Entry, present: Entry) -> bool:
    return entry.source == "config" and present.source == "registered"


def _same(known: Entry | None, entry: Entry) -> bool:
    return known is not None and replace(entry, created=known.created) == known
