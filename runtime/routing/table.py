"""Which provider owns which resource: the table every router asks.

Entries come from three places: the run config, registrations, and what providers list of themselves. Lookup is one dict
access; the dict is rebuilt when something changes. Knows no provider, only ids; knows nothing of models in particular.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from runtime.errors import Conflict, NotFound, RequestError, nearest

Source = Literal["config", "registered", "listed"]
_RANK = {"config": 0, "registered": 1, "listed": 2}


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


class ResourceTable:
    """The resources of one kind, such as models. kind: the word used in messages."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.version = 0
        self._kept: dict[str, Entry] = {}
        self._listed: dict[str, tuple[Entry, ...]] = {}
        self._by_name: dict[str, Entry] = {}
        self._ambiguous: dict[str, tuple[str, ...]] = {}
        self._providers: tuple[str, ...] = ()

    def serve_with(self, provider_ids: Iterable[str]) -> None:
        """The providers that may own resources, in the run config's order."""
        self._providers = tuple(provider_ids)

    @property
    def providers(self) -> tuple[str, ...]:
        return self._providers

    def entries(self) -> list[Entry]:
        """Every resource once, aliases included, in order of provider and name; those of the run config come first."""
        order = {provider_id: place for place, provider_id in enumerate(self._providers)}
        found = [*self._kept.values(), *(entry for entry in self._all_listed() if entry.id not in self._kept)]
        return sorted(
            found, key=lambda entry: (order.get(entry.provider_id, len(order)), _RANK[entry.source], entry.id)
        )

    def find(self, name: str) -> Entry | None:
        """The entry that `name` means, or None. Raises RequestError where a bare name is several providers'
        resource.
        """
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

    def unknown(self, name: str) -> NotFound:
        """The error for a name that nobody serves, with the names that look like it."""
        close = nearest(name, [entry.id for entry in self.entries()])
        hint = (
            f"did you mean {' or '.join(f'`{match}`' for match in close)}?"
            if close
            else f"list all with GET /v1/{self.kind}s"
        )
        return NotFound(
            f"{self.kind.capitalize()} `{name}` is not served by any provider",
            hint=hint,
            param=self.kind,
            code=f"{self.kind}_not_found",
        )

    def keep(self, entry: Entry) -> None:
        """Add an entry of the run config or a registration. Raises Conflict when its name is taken by another
        resource; the run config takes the name of what was registered.
        """
        present = self._kept.get(entry.id)
        if present is not None and present.full_id != entry.full_id and not _outranks(entry, present):
            raise Conflict(
                f"{self.kind.capitalize()} `{entry.id}` is already registered with provider `{present.provider_id}`",
                hint="unregister it first, or choose another name",
                param=f"{self.kind}_id",
            )
        if entry.source == "registered":
            listed = next((known for known in self._all_listed() if known.id == entry.id), None)
            if listed is not None and listed.full_id != entry.full_id:
                raise Conflict(
                    f"{self.kind.capitalize()} `{entry.id}` is what provider `{listed.provider_id}` lists",
                    hint="choose another name",
                    param=f"{self.kind}_id",
                )
            if present is not None and present.source == "config":
                return
        self._kept[entry.id] = entry
        self._rebuild()

    def kept(self, name: str) -> Entry | None:
        """The entry of the run config or the registration under exactly this name."""
        return self._kept.get(name)

    def forget(self, name: str) -> Entry:
        """Remove a registration. Raises NotFound, or Conflict for what the run config or its provider would bring
        back.
        """
        entry = self._kept.get(name) or self._by_name.get(name)
        if entry is None:
            raise self.unknown(name)
        if entry.source != "registered":
            where = "the run config" if entry.source == "config" else f"provider `{entry.provider_id}`, which lists it"
            raise Conflict(
                f"{self.kind.capitalize()} `{name}` comes from {where}",
                hint=f"change it there; only registered {self.kind}s can be removed",
            )
        del self._kept[entry.id]
        self._rebuild()
        return entry

    def list_of(self, provider_id: str, entries: Iterable[Entry]) -> None:
        """Replace everything that a provider lists of itself."""
        known = {entry.id: entry for entry in self._listed.get(provider_id, ())}
        fresh = tuple(known.get(entry.id, entry) if _same(known.get(entry.id), entry) else entry for entry in entries)
        if fresh != self._listed.get(provider_id):
            self._listed[provider_id] = fresh
            self._rebuild()

    def _all_listed(self) -> Iterator[Entry]:
        return itertools.chain.from_iterable(self._listed.values())

    def _rebuild(self) -> None:
        names = {entry.id: entry for entry in self._all_listed()}
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
        self.version += 1


def _outranks(entry: Entry, present: Entry) -> bool:
    return entry.source == "config" and present.source == "registered"


def _same(known: Entry | None, entry: Entry) -> bool:
    return known is not None and (known.full_id, known.kind, known.metadata) == (
        entry.full_id,
        entry.kind,
        entry.metadata,
    )
