"""Names that the run config or the command line gives, and whose meaning follows from what else is there: aliases, the
first model that a provider lists, a model that its provider must list.

Each implements `Declared`: it is asked after every change of its table, and says what it means now, or why nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runtime.access import ANYBODY
from runtime.errors import NotFound, Unavailable
from runtime.routing.entry import Entry
from runtime.routing.table import ResourceTable


@dataclass(frozen=True, kw_only=True)
class Alias:
    """One more name for `target`, a name that may itself be an alias and may come to be known later. One that stands
    for itself is what has that name anyway. What a user owns is meant only where the name is nothing else.
    """

    name: str
    target: str
    provider_id: None = None

    def find(self, table: ResourceTable) -> Entry:
        """What the target is. Raises NotFound where nothing is known of it."""
        find = table.names.undeclared if self.target == self.name else table.find
        entry = find(self.target, ANYBODY) or find(self.target, None) or table.split(self.target)
        if entry is None:
            raise NotFound(
                f"{table.title} `{self.name}` stands for `{self.target}`, which no provider serves",
                hint=f"list all with GET {table.listed_at}",
                param=table.kind,
                code=f"{table.kind}_not_found",
            )
        return replace(entry, id=self.name, source="config")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A resource that its provider must list under this name. One that lists nothing is taken at its word."""

    name: str
    provider_id: str
    wanted: str
    kind: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created: int = field(default_factory=lambda: int(time.time()))

    def find(self, table: ResourceTable) -> Entry:
        """What the provider lists. Raises Unavailable before it has, NotFound where it lists others only."""
        if table.listed_by(self.provider_id) is None:
            raise _waits(self.name, self.provider_id, table)
        entry = table.listed(self.provider_id, self.wanted)
        if entry is None and table.lists(self.provider_id):
            raise NotFound(
                f"{table.title} `{self.name}` is not served: provider `{self.provider_id}` does not list "
                f"`{self.wanted}`",
                param=table.kind,
                code=f"{table.kind}_not_found",
            )
        return Entry(
            id=self.name,
            provider_id=self.provider_id,
            provider_resource_id=self.wanted,
            kind=self.kind,
            metadata={**(entry.metadata if entry else {}), **self.metadata},
            source="config",
            created=self.created,
        )


@dataclass(frozen=True, kw_only=True)
class FirstListed:
    """The first resource of one of these kinds that its provider lists, another one when that list changes."""

    name: str
    provider_id: str
    kinds: tuple[str, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def find(self, table: ResourceTable) -> Entry:
        """The first of its list. Raises Unavailable while there is none."""
        for entry in table.listed_by(self.provider_id) or ():
            if entry.kind in self.kinds:
                metadata = {**entry.metadata, **self.metadata}
                return replace(entry, id=self.name, metadata=metadata, source="config")
        raise _waits(self.name, self.provider_id, table)


def _waits(name: str, provider_id: str, table: ResourceTable) -> Unavailable:
    return Unavailable(
        f"{table.title} `{name}` waits for provider `{provider_id}`, which lists none for it yet",
        param=table.kind,
        code="provider_unavailable",
        headers={"retry-after": "5"},
    )
