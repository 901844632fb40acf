"""Declared names: given by the run config or the command line, with a meaning that depends on the rest of the table.
These are aliases, the first model that a provider lists, and a model that its provider must list.

Each implements `Declared`: after every change of its table it is resolved again, to an entry or to an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runtime.access import ANYBODY, SYSTEM
from runtime.clock import stamp
from runtime.errors import NotFound, Unavailable
from runtime.routing.entry import Entry
from runtime.routing.table import ResourceTable


@dataclass(frozen=True, kw_only=True)
class ResourceAlias:
    """One more name for `target`, which may be an alias itself, and may become known later. An alias for its own name
    means the resource of that name. A resource with an owner is used only if there is no other of that name.
    """

    name: str
    target: str
    provider_id: None = None

    def find(self, table: ResourceTable) -> Entry:
        """The entry of the target. Raises NotFound if it is not known."""
        find = table.names.undeclared if self.target == self.name else table.find
        entry = find(self.target, ANYBODY) or find(self.target, SYSTEM) or table.split(self.target)
        if entry is None:
            raise NotFound(
                f"{table.title} `{self.name}` stands for `{self.target}`, which no provider serves",
                hint=f"list all with GET {table.listed_at}",
                param=table.kind,
                code=f"{table.kind}_not_found",
            )
        return replace(entry, id=self.name, source="alias")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A resource that its provider must list under this name; not checked if the provider lists nothing at all."""

    name: str
    provider_id: str
    wanted: str
    kind: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created: int = field(default_factory=lambda: int(stamp()))

    def find(self, table: ResourceTable) -> Entry:
        """The listed resource. Raises Unavailable before the provider has listed any, NotFound if it is not listed."""
        if table.listed_by(self.provider_id) is None:
            raise _unavailable(self.name, self.provider_id, table)
        entry = table.find_listed(self.provider_id, self.wanted)
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
    """The first resource of one of these kinds in its provider's list; changes with the list."""

    name: str
    provider_id: str
    kinds: tuple[str, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def find(self, table: ResourceTable) -> Entry:
        """The first of the list. Raises Unavailable while there is none."""
        for entry in table.listed_by(self.provider_id) or ():
            if entry.kind in self.kinds:
                metadata = {**entry.metadata, **self.metadata}
                return replace(entry, id=self.name, metadata=metadata, source="config")
        raise _unavailable(self.name, self.provider_id, table)


def _unavailable(name: str, provider_id: str, table: ResourceTable) -> Unavailable:
    return Unavailable(
        f"{table.title} `{name}` waits for provider `{provider_id}`, which does not list one yet",
        param=table.kind,
        code="provider_unavailable",
        headers={"retry-after": "5"},
    )
