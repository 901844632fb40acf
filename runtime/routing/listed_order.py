"""The order in which a table lists its resources: pure, from the entries alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from runtime.routing.entry import Entry

_RANK = {"config": 0, "registered": 1, "listed": 2, "alias": 3}


def in_order(entries: Iterable[Entry], providers: Sequence[str], *, first: str | None) -> list[Entry]:
    """The entries by provider and source (run config first); those of the run config and of registrations by name,
    those that a provider lists as they come. The names of one resource stand together: its provider's name for it
    first, aliases last. An alias says nothing about where its resource stands.

    providers: ids in their order; first: the id of the entry that comes before all others.
    """
    order = {provider_id: place for place, provider_id in enumerate(providers)}
    named: dict[str, list[Entry]] = {}
    for entry in entries:
        named.setdefault(entry.full_id, []).append(entry)

    def place(names: Sequence[Entry]) -> tuple[int, int, str]:
        rank, name = min((_RANK[entry.source], "" if entry.source == "listed" else entry.id) for entry in names)
        return order.get(names[0].provider_id, len(order)), rank, name

    resources = sorted(named.values(), key=place)
    together = itertools.chain.from_iterable(sorted(names, key=_among_its_names) for names in resources)
    return sorted(together, key=lambda entry: entry.id != first)


def _among_its_names(entry: Entry) -> tuple[bool, bool, int, str]:
    is_its_own = entry.id in (entry.full_id, entry.provider_resource_id)
    return entry.source == "alias", not is_its_own, _RANK[entry.source], entry.id
