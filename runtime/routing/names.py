"""Looks up the names of one kind of resource. Built by its table after every change, then only read.

A lookup is one dict access, and a second one for names whose meaning depends on the caller. For a caller, resources
that the caller may not see do not exist.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

from runtime.access import Caller, may_see
from runtime.errors import RequestError
from runtime.routing.entry import Entry


class Several(NamedTuple):
    """The possible meanings of one name. exact: entries with this id or full id; the first that the caller may see is
    used. bare: entries whose provider uses this name; they must all be one resource.
    """

    exact: tuple[Entry, ...] = ()
    bare: tuple[Entry, ...] = ()


class Names:
    """title, kind: what a resource is called. by_name: ids, full ids and bare names that mean the same resource for
    every caller. several: names that may mean different ones. declared: names whose entry is in `resolved`, if they
    have one.
    """

    __slots__ = ("_by_name", "_declared", "_kind", "_resolved", "_several", "_title")

    def __init__(
        self,
        title: str,
        kind: str,
        *,
        by_name: Mapping[str, Entry],
        several: Mapping[str, Several],
        declared: Container[str],
        resolved: Mapping[str, Entry],
    ) -> None:
        self._title = title
        self._kind = kind
        self._by_name = by_name
        self._several = several
        self._declared = declared
        self._resolved = resolved

    def find(self, name: str, user: Caller) -> Entry | None:
        """The entry that `name` means, or None. Raises RequestError if a bare name is used by several providers.

        A declared name never means another resource of the same name, also while it is not resolved.
        """
        if name not in self._declared:
            return self.undeclared(name, user)
        entry = self._resolved.get(name)
        return entry if entry is not None and may_see(user, entry.owner) else None

    def undeclared(self, name: str, user: Caller) -> Entry | None:
        """The same without declared names. Raises RequestError as `find` does."""
        if (entry := self._by_name.get(name)) is not None:
            return entry
        if (several := self._several.get(name)) is None:
            return None
        for entry in several.exact:
            if may_see(user, entry.owner):
                return entry
        candidates: dict[str, Entry] = {}
        for entry in several.bare:
            if may_see(user, entry.owner):
                candidates.setdefault(entry.full_id, entry)
        if len(candidates) > 1:
            raise RequestError(
                f"{self._title} `{name}` is served by several providers",
                hint=f"ask for one of {', '.join(f'`{full_id}`' for full_id in sorted(candidates))}",
                param=self._kind,
                code=f"{self._kind}_ambiguous",
            )
        return next(iter(candidates.values()), None)


def meanings(kept: Mapping[str, Entry], listed: Mapping[str, Entry]) -> tuple[dict[str, Entry], dict[str, Several]]:
    """What each name means, as `Names` takes it. kept: entries of the run config and of registrations, by id; they come
    before those that providers list. Returns `by_name` and `several`.
    """
    names = dict(listed)
    for entry in kept.values():
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
    for name, possible in _of_owners(kept, listed):
        names.pop(name, None)
        several[name] = possible
    return names, several


def _of_owners(kept: Mapping[str, Entry], listed: Mapping[str, Entry]) -> Iterator[tuple[str, Several]]:
    """The names of resources with an owner, each with all its possible meanings: for callers who may not see the
    owned resource, the name may mean another one.
    """
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
    seen = [entry for name, entry in listed.items() if name not in kept or kept[name].owner]
    for entry in (*seen, *kept.values()):
        if (full_id := entry.full_id) in names:
            exact[full_id].append(entry)
        if entry.provider_resource_id in names:
            bare[entry.provider_resource_id].append(entry)
    for name in names:
        yield name, Several(tuple(exact[name]), tuple(bare[name]))
