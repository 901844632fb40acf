"""Looks up the names of one kind of resource: what each one means, for each caller.

A meaning is worked out when it is first asked for, and kept until something changes that it depends on: then a lookup
is one dict access, and a second one for names whose meaning depends on the caller. A change costs the same however many
resources there are. For a caller, resources that the caller may not see do not exist.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from runtime.access import Caller, may_see
from runtime.errors import RequestError
from runtime.routing.entry import Entry


class Several(NamedTuple):
    """The possible meanings of one name. exact: entries with this id or full id; the first that the caller may see is
    used. bare: entries whose provider uses this name, or that are known as this; they must all be one resource.
    """

    exact: tuple[Entry, ...] = ()
    bare: tuple[Entry, ...] = ()


class Names:
    """title, kind: what a resource is called. declared: names whose entry is in `resolved`, if they have one.

    kept: entries of the run config and of registrations, by id; they come before `listed`, which are those that
    providers list, by id.
    """

    __slots__ = (
        "_by_full_id", "_by_name", "_by_own_name", "_declared", "_kind", "_listed_as", "_listed_by_own_name",
        "_resolved", "_several", "_title", "kept", "listed",
    )  # fmt: skip

    def __init__(self, title: str, kind: str, *, declared: Container[str], resolved: Mapping[str, Entry]) -> None:
        self._title = title
        self._kind = kind
        self._declared = declared
        self._resolved = resolved
        self.kept: dict[str, Entry] = {}
        self.listed: dict[str, Entry] = {}
        self._by_full_id: dict[str, dict[str, Entry]] = defaultdict(dict)
        self._by_own_name: dict[str, dict[str, Entry]] = defaultdict(dict)
        self._listed_by_own_name: dict[str, list[Entry]] = defaultdict(list)
        self._listed_as: dict[str, Entry] = {}
        self._by_name: dict[str, Entry] = {}
        self._several: dict[str, Several] = {}

    def keep(self, entry: Entry) -> None:
        """Put an entry among those that are kept, in the place of one that has its id."""
        if (before := self.kept.get(entry.id)) is not None and before.full_id != entry.full_id:
            self.drop(entry.id)
        self.kept[entry.id] = entry
        self._by_full_id[entry.full_id][entry.id] = entry
        self._by_own_name[entry.provider_resource_id][entry.id] = entry
        self._forget(entry)

    def drop(self, name: str) -> None:
        """Take the entry with this id out of those that are kept."""
        entry = self.kept.pop(name)
        for index, key in ((self._by_full_id, entry.full_id), (self._by_own_name, entry.provider_resource_id)):
            del index[key][entry.id]
            if not index[key]:
                del index[key]
        self._forget(entry)

    def replace_listed(self, entries: Iterable[Entry]) -> None:
        """Replace all that providers list."""
        self.listed = {entry.id: entry for entry in entries}
        self._listed_by_own_name = defaultdict(list)
        self._listed_as = {}
        for entry in self.listed.values():
            self._listed_by_own_name[entry.provider_resource_id].append(entry)
            if entry.known_as:
                self._listed_by_own_name[entry.known_as].append(entry)
                self._listed_as.setdefault(f"{entry.provider_id}/{entry.known_as}", entry)
        self._by_name, self._several = {}, {}

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
        if (several := self._several.get(name) or self._work_out(name)) is None:
            return self._by_name.get(name)
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

    def _forget(self, changed: Entry) -> None:
        """Forget the meanings that depend on an entry: of its names, and of bare names of what its names mean."""
        for name in (changed.id, changed.full_id):
            own_name = name.partition("/")[2]  # of a full id: providers' ids have no slash
            listed = self.listed.get(name)
            known_as = (listed.known_as, f"{listed.provider_id}/{listed.known_as}") if listed is not None else ()
            for dependent in (name, own_name, *known_as):
                self._by_name.pop(dependent, None)
                self._several.pop(dependent, None)

    def _work_out(self, name: str) -> Several | None:
        """Find out and note what a name means. Returns its meanings if they depend on the caller or are several."""
        if any(entry.owner is not None for entry in self._kept_as(name)):
            several = Several(tuple(self._exact(name)), tuple(self._bare(name)))
        elif (entry := self._named(name)) is not None:
            self._by_name[name] = entry
            return None
        else:
            bare = {entry.full_id: self._of_own_name(entry) for entry in self._bare(name)}
            if not bare:
                return None
            if len(bare) == 1:
                [self._by_name[name]] = bare.values()
                return None
            several = Several(bare=tuple(bare.values()))
        self._several[name] = several
        return several

    def _kept_as(self, name: str) -> Iterator[Entry]:
        if (entry := self.kept.get(name)) is not None:
            yield entry
        yield from self._by_full_id.get(name, {}).values()
        yield from self._by_own_name.get(name, {}).values()
        known = self._listed_as.get(name)
        for listed in (*self._listed_by_own_name.get(name, ()), *((known,) if known is not None else ())):
            if (entry := self.kept.get(listed.id)) is not None:
                yield entry

    def _named(self, name: str) -> Entry | None:
        """The entry with this id, or else with this full id, or else of this provider and known as this."""
        entry = self.kept.get(name) or self.listed.get(name)
        entry = entry or next(iter(self._by_full_id.get(name, {}).values()), None)
        if entry is None and (known := self._listed_as.get(name)) is not None:
            entry = next(self._seen([known]), known)
        return entry

    def _of_own_name(self, entry: Entry) -> Entry:
        """The same resource as its full id names it, unless that is another resource's id."""
        named = self._named(entry.full_id)
        return named if named is not None and named.full_id == entry.full_id else entry

    def _exact(self, name: str) -> Iterator[Entry]:
        """Every entry with this id or full id, in the order in which they are preferred."""
        if (kept := self.kept.get(name)) is not None:
            yield kept
        if (listed := self.listed.get(name)) is not None:
            yield from self._seen([listed])
        yield from self._by_full_id.get(name, {}).values()
        if (known := self._listed_as.get(name)) is not None:
            yield from self._seen([known])

    def _bare(self, name: str) -> Iterator[Entry]:
        """Every entry whose provider uses this name, or that is known as this."""
        yield from self._seen(self._listed_by_own_name.get(name, ()))
        yield from self._by_own_name.get(name, {}).values()

    def _seen(self, listed: Iterable[Entry]) -> Iterator[Entry]:
        """What callers may mean of what providers list. A kept entry of the same id, which has no owner, is meant in
        its place, and hides what is listed if it is another resource.
        """
        for entry in listed:
            kept = self.kept.get(entry.id)
            if kept is None or kept.owner is not None:
                yield entry
            elif kept.full_id == entry.full_id:
                yield kept
