"""Which provider owns which resource: the table every router asks.

Entries come from three places: the run config, registrations, and what providers list of themselves. Names that are
declared, such as aliases, follow from these. What all names mean (`names.py`) is worked out when something changes.
Whatever is asked for a caller answers as if what the caller may not see were not there. Knows no provider, only ids;
knows nothing of models in particular.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from runtime.access import User, may_see
from runtime.apis._resources import Resource
from runtime.errors import Conflict, NotFound, StackError, did_you_mean
from runtime.routing.entry import Entry
from runtime.routing.names import Names, Several

_RANK = {"config": 0, "registered": 1, "listed": 2}
_CHEAP_S, _PAUSE = 0.002, 10
"""A look for names like an unknown one that costs more is followed by a pause of so many times what it cost: among
thousands of names, somebody who asks for a hundred unknown ones a second would else keep everybody waiting.
"""


class Declared(Protocol):
    """A name whose meaning follows from the table's entries."""

    @property
    def name(self) -> str: ...

    @property
    def provider_id(self) -> str | None:
        """Whose list it follows from, where that is one provider's."""
        ...

    def find(self, table: ResourceTable) -> Entry:
        """What the name means now. Raises StackError with the answer to whoever asks for it."""
        ...


class ResourceTable:
    """The resources of one kind. kind: the word for one; listed_at: the path that lists all, for hints; names: what
    each name means at present.

    Where a method takes a `user`, it is the caller for whom it answers; None sees everything.
    """

    def __init__(self, resource: Resource, *, listed_at: str = "") -> None:
        self.kind = resource.kind
        self.title = resource.kind.replace("_", " ").capitalize()
        self.plural = resource.config_key.replace("_", " ")
        self.id_field = resource.id_field
        self.listed_at = listed_at or f"/v1/{resource.config_key}"
        self._kept: dict[str, Entry] = {}
        self._listed: dict[str, tuple[Entry, ...]] = {}
        self._listed_by_id: dict[str, Entry] = {}
        self._declared: dict[str, Declared] = {}
        self._meant: dict[str, Entry] = {}
        self._meaningless: dict[str, StackError] = {}
        self._in_order: list[Entry] | None = None
        self._providers: tuple[str, ...] = ()
        self._has_owners = False
        self._look_again_at = 0.0
        self._rebuild()

    def set_providers(self, provider_ids: Iterable[str]) -> None:
        """The providers that may own resources, in the run config's order. Called before anything is added: a name
        that begins with one of them belongs to it.
        """
        self._providers = tuple(provider_ids)
        self._rebuild()

    @property
    def providers(self) -> tuple[str, ...]:
        return self._providers

    def entries(self, user: User | None) -> list[Entry]:
        """Every resource once, aliases included, in order of provider and name; those of the run config come first.

        While nothing has an owner it is the same list until something changes, for all callers.
        """
        if self._in_order is None:
            self._in_order = self._sorted(self._kept, self._meant.values())
        if user is None or not self._has_owners:
            return self._in_order
        kept = {name: entry for name, entry in self._kept.items() if may_see(user, entry.owner)}
        return self._sorted(kept, [entry for entry in self._meant.values() if may_see(user, entry.owner)])

    def _sorted(self, kept: Mapping[str, Entry], meant: Iterable[Entry]) -> list[Entry]:
        order = {provider_id: place for place, provider_id in enumerate(self._providers)}
        found = [entry for name, entry in (self._listed_by_id | dict(kept)).items() if name not in self._declared]
        return sorted(
            [*found, *meant],
            key=lambda entry: (order.get(entry.provider_id, len(order)), _RANK[entry.source], entry.id),
        )

    def find(self, name: str, user: User | None) -> Entry | None:
        """See `Names.find`."""
        return self.names.find(name, user)

    def split(self, name: str) -> Entry | None:
        """For a name nobody listed: `provider/rest` with a provider that is there means its resource `rest`."""
        provider_id, slash, rest = name.partition("/")
        if slash and rest and provider_id in self._providers:
            return Entry(id=name, provider_id=provider_id, provider_resource_id=rest)
        return None

    def unknown(self, name: str, user: User | None) -> StackError:
        """The error for a name that nobody serves, with the names that look like it, unless looking for them has cost
        too much of late; for a declared one, why it means nothing.
        """
        if name in self._meaningless:
            try:
                self._declared[name].find(self)
            except StackError as error:  # a new one: what is raised twice keeps what it met both times
                return error
        hint = self._names_like(name, user) or f"list all with GET {self.listed_at}"
        return NotFound(
            f"{self.title} `{name}` is not served by any provider",
            hint=hint,
            param=self.kind,
            code=f"{self.kind}_not_found",
        )

    def _names_like(self, name: str, user: User | None) -> str | None:
        if time.monotonic() < self._look_again_at:
            return None
        began = time.thread_time()
        close = did_you_mean(name, [entry.id for entry in self.entries(user)])
        cost_s = time.thread_time() - began
        if cost_s > _CHEAP_S:
            self._look_again_at = time.monotonic() + _PAUSE * cost_s
        return close

    def lists(self, provider_id: str) -> bool:
        """Whether a provider's own list was had and holds something: then a name that is not on it does not exist."""
        return bool(self._listed.get(provider_id))

    def listed_by(self, provider_id: str) -> tuple[Entry, ...] | None:
        """What a provider lists of itself, in its own order; None where it was not heard yet."""
        return self._listed.get(provider_id)

    def listed(self, provider_id: str, resource: str) -> Entry | None:
        """What a provider lists under its own name for it."""
        return self._listed_by_id.get(f"{provider_id}/{resource}")

    def declare(self, declared: Iterable[Declared]) -> None:
        """Add names that follow from the others. Raises Conflict for one that is given twice."""
        for one in declared:
            if self._declared.setdefault(one.name, one) != one or self._is_configured(one.name):
                raise Conflict(f"{self.title} `{one.name}` is named twice", hint="choose another name for one of them")
        self._rebuild()

    def declared(self, name: str) -> Declared | None:
        return self._declared.get(name)

    def meaningless(self) -> dict[str, StackError]:
        """The declared names that mean nothing at present, each with why."""
        return dict(self._meaningless)

    def add_all(self, entries: Iterable[Entry]) -> list[tuple[Entry, StackError]]:
        """Add many entries of the run config or of earlier registrations at once. Returns those that were refused,
        each with why; the others are served.
        """
        refused: list[tuple[Entry, StackError]] = []
        for entry in entries:
            try:
                if self.accepts(entry):
                    self._kept[entry.id] = entry
            except StackError as error:
                refused.append((entry, error))
        self._rebuild()
        return refused

    def accepts(self, entry: Entry) -> bool:
        """Whether adding an entry changes anything: not where the run config has the same already.

        Raises Conflict when its name is another resource's or a declared one, or begins with the id of a provider that
        is not its own. What its owner may not see is not described.
        The run config takes the name of what was registered, and may name anything.
        """
        present = self._meant.get(entry.id) or self._kept.get(entry.id)
        if present is not None and not may_see(entry.owner, present.owner):
            raise self._taken(entry, "is a name that is taken", "choose another name")
        if present is not None and present.full_id != entry.full_id and not _outranks(entry, present):
            raise self._taken(
                entry,
                f"is already registered with provider `{present.provider_id}`",
                "unregister it first, or choose another name",
            )
        if entry.source != "registered":
            return True
        if entry.id in self._meaningless:
            raise self._taken(entry, "is a name that the run config or the command line gives", "choose another name")
        listed = self._listed_by_id.get(entry.id)
        if listed is not None and listed.full_id != entry.full_id:
            raise self._taken(entry, f"is what provider `{listed.provider_id}` lists", "choose another name")
        prefix, slash, _ = entry.id.partition("/")
        if slash and prefix != entry.provider_id and prefix in self._providers:
            raise self._taken(
                entry,
                f"is named as one of provider `{prefix}`, and belongs to `{entry.provider_id}`",
                f"choose a name that does not begin with `{prefix}/`",
            )
        return present is None or present.source != "config"

    def _taken(self, entry: Entry, why: str, hint: str) -> Conflict:
        return Conflict(f"{self.title} `{entry.id}` {why}", hint=hint, param=self.id_field)

    def as_before(self, entry: Entry) -> Entry:
        """An entry that is registered anew, with its owner and its time: who may change what somebody registered does
        not take it from the others who see it.
        """
        present = self._kept.get(entry.id)
        if present is None or present.source != "registered":
            return entry
        return replace(entry, owner=present.owner, created=present.created)

    def add(self, entry: Entry) -> None:
        """Add an entry that `accepts` has let through."""
        self._kept[entry.id] = entry
        self._rebuild()

    def registered(self, name: str, user: User | None) -> Entry:
        """The registration under a name. Raises NotFound, or Conflict for what the run config or its provider would
        bring back.
        """
        entry = self._kept.get(name)
        if entry is None or not may_see(user, entry.owner):
            entry = self.find(name, user)
        if entry is None:
            raise self.unknown(name, user)
        if entry.source != "registered":
            where = "the run config" if entry.source == "config" else f"provider `{entry.provider_id}`, which lists it"
            raise Conflict(
                f"{self.title} `{name}` comes from {where}",
                hint=f"change it there; only registered {self.plural} can be removed",
            )
        return entry

    def remove(self, name: str) -> None:
        """Take a registration out. name: the id of what `registered` returned."""
        del self._kept[name]
        self._rebuild()

    def replace_listed(self, provider_id: str, entries: Iterable[Entry]) -> None:
        """Replace everything that a provider lists of itself."""
        known = {entry.id: entry for entry in self._listed.get(provider_id, ())}
        fresh = tuple(known.get(entry.id, entry) if _same(known.get(entry.id), entry) else entry for entry in entries)
        if fresh != self._listed.get(provider_id):
            self._listed[provider_id] = fresh
            self._listed_by_id = {entry.id: entry for entry in itertools.chain.from_iterable(self._listed.values())}
            self._rebuild()

    def _is_configured(self, name: str) -> bool:
        return name in self._kept and self._kept[name].source == "config"

    def _rebuild(self) -> None:
        names = dict(self._listed_by_id)
        for entry in self._kept.values():
            names.setdefault(entry.full_id, entry)
            names[entry.id] = entry
        bare: dict[str, dict[str, Entry]] = {}
        for entry in names.values():
            bare.setdefault(entry.provider_resource_id, {})[entry.full_id] = names[entry.full_id]
        several: dict[str, Several] = {}
        for name, entries in bare.items():
            if name in names:
                continue
            if len(entries) == 1:
                [names[name]] = entries.values()
            else:
                several[name] = Several(bare=tuple(entries.values()))
        for name, meanings in self._of_owners():
            names.pop(name, None)
            several[name] = meanings
        self.names = Names(
            self.title, self.kind, by_name=names, several=several, declared=self._declared, meant=self._meant
        )
        self._has_owners = any(entry.owner is not None for entry in self._kept.values())
        self._follow_declared()
        self._in_order = None

    def _of_owners(self) -> Iterator[tuple[str, Several]]:
        """The names of what somebody owns, each with everything that it may mean: to whoever may not see that, it means
        what it would mean without.
        """
        kept = self._kept
        names = {
            name
            for entry in kept.values()
            if entry.owner is not None
            for name in (entry.id, entry.full_id, entry.provider_resource_id)
        }
        if not names:
            return
        exact: dict[str, list[Entry]] = {name: [kept[name]] if name in kept else [] for name in names}
        bare: dict[str, list[Entry]] = {name: [] for name in names}
        listed = [entry for name, entry in self._listed_by_id.items() if name not in kept or kept[name].owner]
        for entry in (*listed, *kept.values()):
            if (full_id := entry.full_id) in names:
                exact[full_id].append(entry)
            if entry.provider_resource_id in names:
                bare[entry.provider_resource_id].append(entry)
        for name in names:
            yield name, Several(tuple(exact[name]), tuple(bare[name]))

    def _follow_declared(self) -> None:
        """Ask every declared name for its meaning, and again those that may mean another one whose turn came later."""
        self._meant.clear()
        self._meaningless.clear()
        waiting = list(self._declared.values())
        while waiting and len(still := [one for one in waiting if not self._follow(one)]) < len(waiting):
            waiting = still

    def _follow(self, declared: Declared) -> bool:
        try:
            entry = declared.find(self)
        except StackError as error:
            self._meaningless[declared.name] = error
            return False
        self._meaningless.pop(declared.name, None)
        self._meant[declared.name] = entry
        return True


def _outranks(entry: Entry, present: Entry) -> bool:
    return entry.source == "config" and present.source == "registered"


def _same(known: Entry | None, entry: Entry) -> bool:
    return known is not None and replace(entry, created=known.created) == known
