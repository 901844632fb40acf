"""What the names of one kind of resource mean: made anew by its table at every change, then only read.

Lookup is one dict access, and a second one for names whose meaning depends on the caller. What a caller may not see is
not there for that caller.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import NamedTuple

from runtime.access import User, may_see
from runtime.errors import RequestError
from runtime.routing.entry import Entry


class Several(NamedTuple):
    """What one name may mean. exact: by id or full id, of which the first counts that the caller may see; bare: by the
    owner's own name, where these are of one resource.
    """

    exact: tuple[Entry, ...] = ()
    bare: tuple[Entry, ...] = ()


class Names:
    """title, kind: the words for a resource. by_name: ids, full ids and bare names that mean one resource, the same one
    for everybody; several: those that may mean different ones; declared: names whose meaning is in `meant`, or nothing.
    """

    __slots__ = ("_by_name", "_declared", "_kind", "_meant", "_several", "_title")

    def __init__(
        self,
        title: str,
        kind: str,
        *,
        by_name: Mapping[str, Entry],
        several: Mapping[str, Several],
        declared: Container[str],
        meant: Mapping[str, Entry],
    ) -> None:
        self._title = title
        self._kind = kind
        self._by_name = by_name
        self._several = several
        self._declared = declared
        self._meant = meant

    def find(self, name: str, user: User | None) -> Entry | None:
        """The entry that `name` means, or None. Raises RequestError where a bare name is several providers'
        resource.

        A declared name is never anything else: while it means nothing, no resource that happens to have it stands in.
        """
        if name not in self._declared:
            return self.undeclared(name, user)
        entry = self._meant.get(name)
        return entry if entry is not None and may_see(user, entry.owner) else None

    def undeclared(self, name: str, user: User | None) -> Entry | None:
        """What `name` means where nothing is declared. Raises RequestError as `find` does."""
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
