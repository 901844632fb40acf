"""What the names of one kind of resource mean: made anew by its table at every change, then only read.

Lookup is one dict access. What a caller may not see is not there for that caller.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from runtime.access import User, may_see
from runtime.errors import RequestError
from runtime.routing.entry import Entry

_NOTHING: Mapping[str, Entry] = {}


class Names:
    """title, kind: the words for a resource. by_name: ids, full ids and bare names that mean one resource; ambiguous:
    bare names of several; listed: what providers list, by id; declared: names whose meaning is in `meant`, or nothing.
    """

    __slots__ = ("_ambiguous", "_declared", "_kind", "_listed", "_meant", "_title", "by_name")

    def __init__(
        self,
        title: str,
        kind: str,
        *,
        by_name: Mapping[str, Entry] = _NOTHING,
        ambiguous: Mapping[str, tuple[Entry, ...]] | None = None,
        listed: Mapping[str, Entry] = _NOTHING,
        declared: Container[str] = (),
        meant: Mapping[str, Entry] = _NOTHING,
    ) -> None:
        self._title = title
        self._kind = kind
        self.by_name = by_name
        self._ambiguous = ambiguous or {}
        self._listed = listed
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
        entry = self.by_name.get(name)
        if entry is not None:
            if entry.owner is None or may_see(user, entry.owner):
                return entry
            return self._listed.get(name)  # which another user's registration of that name does not hide
        candidates = [entry for entry in self._ambiguous.get(name, ()) if may_see(user, entry.owner)]
        if len(candidates) > 1:
            raise RequestError(
                f"{self._title} `{name}` is served by several providers",
                hint=f"ask for one of {', '.join(f'`{entry.full_id}`' for entry in candidates)}",
                param=self._kind,
                code=f"{self._kind}_ambiguous",
            )
        return candidates[0] if candidates else None
