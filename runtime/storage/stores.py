"""The stores of a stack: opens each configured backend once and gives out parts of it, by name or by reference.

Get a handle once, in a constructor; nothing here depends on the current request.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from runtime.apis._api import Store
from runtime.errors import NotSupported
from runtime.storage.analytics.config import AnalyticsConfig
from runtime.storage.analytics.handle import Analytics
from runtime.storage.analytics.tables import AnalyticsTable
from runtime.storage.backends import BACKENDS
from runtime.storage.kv import KeyValueStore, Namespaced, open_kv
from runtime.storage.placement import (
    RESOURCE_STORE,
    STACK_STORES,
    KeyValueReference,
    SqlReference,
    StorageConfig,
    StoreReference,
    file_of,
)
from runtime.storage.settings import KeyValueConfig
from runtime.storage.sql.backend import SqlBackend
from runtime.storage.sql.store import SqlStore
from runtime.storage.sql.tables import Schema

log = logging.getLogger(__name__)


class Storage(Protocol):
    """The stores as a provider sees them: handles by name. The stack opens and closes the backends.

    ref: the name of a store that an API or a spec declares, placed by `storage.stores.<name>` of the run config; or a
    reference from the provider's own config. Both methods raise KeyError for a name that is not declared and for an
    unknown backend, which a plan refuses, and NotSupported for a backend of the other family.
    """

    def kv(self, ref: str | KeyValueReference) -> KeyValueStore:
        """A store of keys and values; closing it closes nothing. Raises Unavailable if it cannot be opened."""
        ...

    def settings(self, name: str) -> StoreReference:
        """What the run config says about a declared store beyond its place, such as `enabled`."""
        ...

    def sql(self, ref: str | SqlReference, schema: Schema) -> SqlStore:
        """A store of tables. Those that are asked for while the stack is built are opened before it serves, and what
        is wrong with them ends its start; others are opened at first use.
        """
        ...

    def analytics(self, *tables: AnalyticsTable) -> Analytics:
        """Tables that are added to and summed up, see `runtime.storage.analytics`. Opened at first use. Raises
        ValueError for two tables with one name.
        """
        ...


class Stores:
    """Backends by name. state_dir: the base of relative paths. declared: the stores of APIs and specs."""

    def __init__(self, config: StorageConfig, state_dir: Path, declared: Iterable[Store] = ()) -> None:
        self._config = config
        self._state_dir = state_dir
        self._declared = {store.name: store for store in (*STACK_STORES, *declared)}
        self._open: dict[str, KeyValueStore | SqlBackend] = {}  # in the order of opening
        self._tables: dict[tuple[str, str], SqlStore] = {}
        self._parts: dict[tuple[str, str], Namespaced] = {}
        self._analytics = Analytics(config.analytics or AnalyticsConfig(), state_dir)

    async def open(self) -> None:
        """Open the store that every stack needs. Raises Unavailable if that fails."""
        self.kv(RESOURCE_STORE.name)

    async def open_tables(self) -> None:
        """Open every store of tables that was asked for. Raises Unavailable if one cannot be opened or migrated."""
        for store in self._tables.values():
            await store.open()

    def kv(self, ref: str | KeyValueReference) -> Namespaced:
        """See `Storage`. The backend is opened at first use. Two handles of the same keys are one."""
        if isinstance(ref, KeyValueReference):
            return self._part(ref.backend, ref.namespace, what="A provider's data", setting="in its `config`")
        place = self._config.place_of(self._declared[ref])
        setting = f"in `storage.stores.{ref}.backend`"
        return self._part(place.backend, place.namespace or "", what=f"The store `{ref}`", setting=setting)

    def settings(self, name: str) -> StoreReference:
        """See `Storage`."""
        return self._config.place_of(self._declared[name])

    def sql(self, ref: str | SqlReference, schema: Schema) -> SqlStore:
        """See `Storage`. Two handles of the same tables are one. Raises NotSupported for a `kv_` backend."""
        place = ref if isinstance(ref, SqlReference) else self._config.place_of(self._declared[ref])
        if BACKENDS[self._config.backends[place.backend].type].family != "sql":
            raise NotSupported(
                f"The store `{schema.name}` needs tables, but `{place.backend}` holds keys and values",
                hint="name an `sql_` backend for it",
            )
        assert place.table_name is not None
        where = (place.backend, place.table_name)
        if where not in self._tables:
            settings = StoreReference(backend=place.backend) if isinstance(place, SqlReference) else place
            self._tables[where] = SqlStore(lambda: self._sql_backend(settings), schema, place.table_name)
        return self._tables[where]

    def is_in_state_folder(self, name: str) -> bool:
        """Whether a declared store is a file of the state folder, which one server has at a time."""
        backend = self._config.backends[self._config.place_of(self._declared[name]).backend]
        file = file_of(backend, self._state_dir)
        return file is not None and file.resolve().is_relative_to(self._state_dir.resolve())

    def tables(self) -> Sequence[SqlStore]:
        """Every store of tables that was asked for."""
        return [*self._tables.values()]

    def analytics(self, *tables: AnalyticsTable) -> Analytics:
        """See `Storage`. All handles are one."""
        self._analytics.add(*tables)
        return self._analytics

    def database(self, name: str) -> SqlBackend:
        """A backend of tables, with no store in mind. Raises Unavailable if it cannot be opened."""
        config = self._config.backends[name]
        if name not in self._open:
            self._open[name] = BACKENDS[config.type].load()(config, self._state_dir)
        backend: SqlBackend = self._open[name]  # type: ignore[assignment]  # of its family
        return backend

    async def close(self) -> None:
        """Close every backend that was opened, the last one first; one that fails does not keep the others open. A
        handle of a closed one raises RuntimeError.
        """
        self._tables.clear()
        self._parts.clear()
        await self._analytics.close()
        while self._open:
            name, backend = self._open.popitem()
            try:
                await backend.close()
            except Exception:
                log.exception("storage not closed", extra={"backend": name})

    def _part(self, name: str, namespace: str, *, what: str, setting: str) -> Namespaced:
        config = self._config.backends[name]
        if not isinstance(config, KeyValueConfig):
            raise NotSupported(
                f"{what} is in `{name}`, which holds tables, but keys and values are needed",
                hint=f"name a `kv_` backend {setting}",
            )
        if name not in self._open:
            self._open[name] = open_kv(config, self._state_dir)
        if (name, namespace) not in self._parts:
            store: KeyValueStore = self._open[name]  # type: ignore[assignment]  # of its family
            self._parts[name, namespace] = Namespaced(store, namespace)
        return self._parts[name, namespace]

    def _sql_backend(self, place: StoreReference) -> SqlBackend:
        backend = self.database(place.backend)
        return backend.with_queue(writers=place.num_writers, max_waiting=place.max_write_queue_size)
