"""Which provider owns which resource: the table every router asks.

Entries come from three places: the run config, registrations, and what providers list of themselves. Names that are
declared, such as aliases, follow from these. Lookup is one dict access; the dict is rebuilt when something changes.
Knows no provider, only ids; knows nothing of models in particular.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from runtime.errors import Conflict, NotFound, RequestError, StackError, did_you_mean

Source = Literal["config", "registered", "listed"]
_RANK = {"config": 0, "registered": 1, "listed": 2}
_CHEAP_S, _PAUSE = 0.002, 10
"""A look for names like an unknown one that costs more is followed by a pause of so many times what it cost: among
thousands of names, somebody who asks for a hundred unknown ones a second would else keep everybody waiting.
"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One resource. id: the name to ask for; provider_resource_id: what its owner calls it; kind: for models llm,
    embedding, rerank.
    """

    id: str
    provider_id: str
    provider_resource_id: str
    kind: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source: Source = "listed"
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def full_id(self) -> str:
        """`provider_id/provider_resource_id`, unique whatever else is registered."""
        return f"{self.provider_id}/{self.provider_resource_id}"


class Declared(Protocol):
    """A name whose meaning follows from the table's entries."""

    @property
    def name(self) -> str: ...

    @property
    def provider_id(self) -> str | None:
        """Whose list it follows from, where that is one provider's."""
        ...

    def find(self, table: ResourceTable) -> Entry:
        """What the name means now. Raises StackError with what whoever asks for it is to be told."""
        ...


class ResourceTable:
    """The resources of one kind, such as models. kind, plural: the words used in messages, paths and keys.

    version: another number after every change, for whoever keeps an answer made of the table.
    """

    def __init__(self, kind: str, *, plural: str) -> None:
        self.kind = kind
        self.plural = plural
        self.version = 0
        self._kept: dict[str, Entry] = {}
        self._listed: dict[str, tuple[Entry, ...]] = {}
        self._listed_by_id: dict[str, Entry] = {}
        self._declared: dict[str, Declared] = {}
        self._meant: dict[str, Entry] = {}
        self._meaningless: dict[str, StackError] = {}
        self._in_order: list[Entry] | None = None
        self._by_name: dict[str, Entry] = {}
        self._ambiguous: dict[str, tuple[str, ...]] = {}
        self._providers: tuple[str, ...] = ()
        self._look_again_at = 0.0

    def serve_with(self, provider_ids: Iterable[str]) -> None:
        """The providers that may own resources, in the run config's order. Told before anything is kept: a name
        that begins with one of them is its word.
        """
        self._providers = tuple(provider_ids)
        self._rebuild()

    @property
    def providers(self) -> tuple[str, ...]:
        return self._providers

    def entries(self) -> list[Entry]:
        """Every resource once, aliases included, in order of provider and name; those of the run config come first."""
        if self._in_order is None:
            order = {provider_id: place for place, provider_id in enumerate(self._providers)}
            found = [entry for name, entry in (self._listed_by_id | self._kept).items() if name not in self._declared]
            found += self._meant.values()
            self._in_order = sorted(
                found, key=lambda entry: (order.get(entry.provider_id, len(order)), _RANK[entry.source], entry.id)
            )
        return self._in_order

    def find(self, name: str) -> Entry | None:
        """The entry that `name` means, or None. Raises RequestError where a bare name is several providers'
        resource.

        A declared name is never anything else: while it means nothing, no resource that happens to have it stands in.
        """
        return self._meant.get(name) if name in self._declared else self.undeclared(name)

    def undeclared(self, name: str) -> Entry | None:
        """What `name` means where nothing is declared. Raises as `find` does."""
        entry = self._by_name.get(name)
        if entry is None and name in self._ambiguous:
            candidates = ", ".join(f"`{candidate}`" for candidate in self._ambiguous[name])
            raise RequestError(
                f"{self.kind.capitalize()} `{name}` is served by several providers",
                hint=f"ask for one of {candidates}",
                param=self.kind,
                code=f"{self.kind}_ambiguous",
            )
        return entry

    def split(self, name: str) -> Entry | None:
        """For a name nobody listed: `provider/rest` with a provider that is there means its resource `rest`."""
        provider_id, slash, rest = name.partition("/")
        if slash and rest and provider_id in self._providers:
            return Entry(id=name, provider_id=provider_id, provider_resource_id=rest)
        return None

    def unknown(self, name: str) -> StackError:
        """The error for a name that nobody serves, with the names that look like it, unless looking for them has cost
        too much of late; for a declared one, why it means nothing.
        """
        if name in self._meaningless:
            try:
                self._declared[name].find(self)
            except StackError as error:  # a new one: what is raised twice keeps what it met both times
                return error
        hint = self._names_like(name) or f"list all with GET /v1/{self.plural}"
        return NotFound(
            f"{self.kind.capitalize()} `{name}` is not served by any provider",
            hint=hint,
            param=self.kind,
            code=f"{self.kind}_not_found",
        )

    def _names_like(self, name: str) -> str | None:
        if time.monotonic() < self._look_again_at:
            return None
        began = time.thread_time()
        close = did_you_mean(name, [entry.id for entry in self.entries()])
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
                raise Conflict(
                    f"{self.kind.capitalize()} `{one.name}` is named twice", hint="choose another name for one of them"
                )
        self._rebuild()

    def declared(self, name: str) -> Declared | None:
        return self._declared.get(name)

    def meaningless(self) -> dict[str, StackError]:
        """The declared names that mean nothing at present, each with why."""
        return dict(self._meaningless)

    def keep(self, entry: Entry) -> None:
        """Add an entry of the run config or a registration, as far as `accepts` allows."""
        if self.accepts(entry):
            self.put(entry)

    def keep_all(self, entries: Iterable[Entry]) -> list[tuple[Entry, StackError]]:
        """Add many at once. Returns those that were refused, each with why; the others are served."""
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
        """Whether keeping an entry changes anything: not where the run config has the same already.

        Raises Conflict when its name is another resource's or a declared one, or begins with the id of a provider that
        is not its own.
        The run config takes the name of what was registered, and may name anything.
        """
        present = self._meant.get(entry.id) or self._kept.get(entry.id)
        if present is not None and present.full_id != entry.full_id and not _outranks(entry, present):
            raise Conflict(
                f"{self.kind.capitalize()} `{entry.id}` is already registered with provider `{present.provider_id}`",
                hint="unregister it first, or choose another name",
                param=f"{self.kind}_id",
            )
        if entry.source != "registered":
            return True
        if entry.id in self._meaningless:
            raise Conflict(
                f"{self.kind.capitalize()} `{entry.id}` is a name that the run config or the command line gives",
                hint="choose another name",
                param=f"{self.kind}_id",
            )
        listed = self._listed_by_id.get(entry.id)
        if listed is not None and listed.full_id != entry.full_id:
            raise Conflict(
                f"{self.kind.capitalize()} `{entry.id}` is what provider `{listed.provider_id}` lists",
                hint="choose another name",
                param=f"{self.kind}_id",
            )
        prefix, slash, _ = entry.id.partition("/")
        if slash and prefix != entry.provider_id and prefix in self._providers:
            raise Conflict(
                f"{self.kind.capitalize()} `{entry.id}` is named as one of provider `{prefix}`, and belongs to "
                f"`{entry.provider_id}`",
                hint=f"choose a name that does not begin with `{prefix}/`",
                param=f"{self.kind}_id",
            )
        return present is None or present.source != "config"

    def put(self, entry: Entry) -> None:
        """Add an entry that `accepts` has let through."""
        self._kept[entry.id] = entry
        self._rebuild()

    def registered(self, name: str) -> Entry:
        """The registration under a name. Raises NotFound, or Conflict for what the run config or its provider would
        bring back.
        """
        entry = self._kept.get(name) or self._meant.get(name) or self._by_name.get(name)
        if entry is None:
            raise self.unknown(name)
        if entry.source != "registered":
            where = "the run config" if entry.source == "config" else f"provider `{entry.provider_id}`, which lists it"
            raise Conflict(
                f"{self.kind.capitalize()} `{name}` comes from {where}",
                hint=f"change it there; only registered {self.plural} can be removed",
            )
        return entry

    def forget(self, name: str) -> Entry:
        """Remove a registration; raises as `registered` does."""
        entry = self.registered(name)
        del self._kept[entry.id]
        self._rebuild()
        return entry

    def list_of(self, provider_id: str, entries: Iterable[Entry]) -> None:
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
        bare: dict[str, set[str]] = {}
        for entry in self._kept.values():
            names[entry.full_id] = names.get(entry.full_id, entry)
            names[entry.id] = entry
        owners = dict(names)
        for entry in owners.values():
            bare.setdefault(entry.provider_resource_id, set()).add(entry.full_id)
        ambiguous = {}
        for name, full_ids in bare.items():
            if name in names:
                continue
            if len(full_ids) == 1:
                names[name] = owners[next(iter(full_ids))]
            else:
                ambiguous[name] = tuple(sorted(full_ids))
        self._by_name, self._ambiguous = names, ambiguous
        self._follow_declared()
        self._in_order = None
        self.version += 1

    def _follow_declared(self) -> None:
        """Ask every declared name for its meaning, and again those that may mean another one whose turn came later."""
        self._meant, self._meaningless = {}, {}
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
    return known is not None and (known.full_id, known.kind, known.metadata) == (
        entry.full_id,
        entry.kind,
        entry.metadata,
    )
