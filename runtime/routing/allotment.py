"""How many resources of one kind each user has registered, and how many one may."""

from __future__ import annotations

from collections import Counter

from runtime.apis._resources import Resource
from runtime.errors import RequestError
from runtime.routing.entry import Entry

MOST_REGISTERED = 10_000
"""Of one kind, by each user, and by all callers without a name: each is kept for ever, and in every list."""


class Allotment:
    """Counts what is registered, of which nothing else has to be told apart. listed_at: the path that lists all."""

    def __init__(self, resource: Resource, *, listed_at: str) -> None:
        self._resource = resource
        self._listed_at = listed_at
        self._counts: Counter[str | None] = Counter()  # by the owner's name

    @property
    def has_owners(self) -> bool:
        """Whether something has an owner, so that not everybody sees the same."""
        return not self._counts.keys() <= {None}

    def count(self, entry: Entry, more: int) -> None:
        """Count an entry that has come (1) or gone (-1)."""
        if entry.source == "registered":
            name = _owner_of(entry)
            self._counts[name] += more
            if not self._counts[name]:
                del self._counts[name]

    def check_room(self, entry: Entry) -> None:
        """Raises RequestError if the owner of a new registration, or nobody, has registered as many as one may."""
        name, kind = _owner_of(entry), self._resource.kind
        if self._counts[name] < MOST_REGISTERED:
            return
        who = "Callers without a name have" if name is None else f"User `{name}` has"
        raise RequestError(
            f"{who} registered {MOST_REGISTERED} {self._resource.config_key.replace('_', ' ')}, and no more are kept",
            hint=f"remove some that are not needed: DELETE {self._listed_at}/{{{self._resource.id_field}}}",
            code=f"too_many_{kind}s",
        )


def _owner_of(entry: Entry) -> str | None:
    return entry.owner.principal if entry.owner is not None else None
