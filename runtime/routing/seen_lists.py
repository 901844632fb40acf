"""The lists of a table as callers see them, remembered until something changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from runtime.access import Caller, User, sees_all
from runtime.routing.entry import Entry

MOST = 16
"""Of so many callers the list is remembered: one with ten thousand resources takes 40 ms to make."""


class SeenLists:
    def __init__(self) -> None:
        self._lists: dict[Hashable, list[Entry]] = {}  # by who sees them; None: everything

    def clear(self) -> None:
        """Something has changed."""
        self._lists.clear()

    def seen_by(self, user: Caller, make: Callable[[Caller | None], list[Entry]], *, has_owners: bool) -> list[Entry]:
        """A caller's list. make: makes that of a caller, None for the one with everything. has_owners: whether callers
        see different ones.
        """
        sees_everything = sees_all(user) or not has_owners
        whose = None if sees_everything else _sight(user)
        if (known := self._lists.get(whose)) is not None:
            return known
        if len(self._lists) >= MOST:
            del self._lists[next(iter(self._lists))]
        made = self._lists[whose] = make(None if sees_everything else user)
        return made


def _sight(user: Caller) -> Hashable:
    """What decides which resources a caller may see: the same for two callers who see the same ones."""
    return (user.principal, *sorted(user.attributes.items())) if isinstance(user, User) else user
