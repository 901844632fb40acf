"""The stores as one provider has them, which know whether it can write."""

from __future__ import annotations

from runtime.storage.analytics.handle import Analytics
from runtime.storage.analytics.tables import AnalyticsTable
from runtime.storage.kv import Namespaced
from runtime.storage.placement import KeyValueReference, SqlReference, StoreReference
from runtime.storage.sql.store import SqlStore
from runtime.storage.sql.tables import Schema
from runtime.storage.stores import Stores


class UsedStores:
    """Implements `Storage` with those of a stack, and remembers which of them were asked for."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._used: dict[int, Namespaced | SqlStore] = {}

    @property
    def trouble(self) -> str:
        """Why the last write to one of them failed, whoever wrote; empty if none did."""
        return next((one.trouble for one in self._used.values() if one.trouble), "")

    def kv(self, ref: str | KeyValueReference) -> Namespaced:
        """See `Storage`."""
        found = self._stores.kv(ref)
        self._used[id(found)] = found
        return found

    def settings(self, name: str) -> StoreReference:
        """See `Storage`."""
        return self._stores.settings(name)

    def sql(self, ref: str | SqlReference, schema: Schema) -> SqlStore:
        """See `Storage`."""
        found = self._stores.sql(ref, schema)
        self._used[id(found)] = found
        return found

    def analytics(self, *tables: AnalyticsTable) -> Analytics:
        """See `Storage`."""
        return self._stores.analytics(*tables)
