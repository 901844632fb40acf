"""What a call of a model cost by the token: as the run config says, else as its registration does, else as the list of
its vendor's prices.
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime.access import SYSTEM
from runtime.apis._price import MEMBER, Price, price_in
from runtime.catalog.prices import price_of
from runtime.errors import RequestError
from runtime.routing.entry import Entry
from runtime.routing.table import ResourceTable

_MOST_FOUND = 2000
_SAYS = {"listed": "its provider's list"}
_Asked = tuple[str, str, str]


class Prices:
    """The prices of the models in a table. Each is looked up once, until the table changes.

    A price that a user has registered is that of calls by the registered name only, and below that of the run config:
    nobody makes another's calls cheaper.
    """

    def __init__(self, table: ResourceTable) -> None:
        self._table = table
        self._changes = -1
        self._found: dict[_Asked, Price | None] = {}
        self._of_run_config: Mapping[str, Price] = {}

    def __call__(self, provider_id: str, model: str, resource: str) -> Price | None:
        """Implements `FindPrice`."""
        if self._changes != self._table.changes or len(self._found) >= _MOST_FOUND:
            self._changes, self._found = self._table.changes, {}
            self._of_run_config = self._stated()
        asked = (provider_id, model, resource)
        if asked not in self._found:
            self._found[asked] = self._find(*asked)
        return self._found[asked]

    def listed(self, provider_id: str, model: str) -> Price | None:
        """The price that the list has, by the vendor that a provider's type names, and by its own name for a model."""
        return price_of(self._table.vendors.get(provider_id, ""), model)

    def _find(self, provider_id: str, model: str, resource: str) -> Price | None:
        entry = self._entry(resource, provider_id)
        configured = self._of_run_config.get(resource) or self._of_run_config.get(f"{provider_id}/{model}")
        stated = None if entry is None else _priced(entry, _SAYS.get(entry.source, "its registration"))
        return configured or stated or self.listed(provider_id, model)

    def _entry(self, resource: str, provider_id: str) -> Entry | None:
        try:
            found = self._table.find(resource, SYSTEM) if resource else None
        except RequestError:  # several have this name by now
            return None
        return found if found is not None and found.provider_id == provider_id else None

    def _stated(self) -> dict[str, Price]:
        """By the names of the run config, and by the provider's own names for what they mean."""
        found: dict[str, Price] = {}
        for entry in self._table.of_stack():
            if entry.source == "config" and (price := _priced(entry, "the run config")) is not None:
                found[entry.id] = price
                found.setdefault(entry.full_id, price)
        return found


def _priced(entry: Entry, source: str) -> Price | None:
    price = price_in(entry.metadata) if MEMBER in entry.metadata else None
    return price if price is None or price.source else price.model_copy(update={"source": source})
