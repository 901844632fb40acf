"""The stores of a stack: opens each configured backend once and gives out parts of it, by name or by reference.

Get a handle once, in a constructor; nothing here depends on the current request.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from runtime.apis._api import Store
from runtime.errors import NotSupported
from runtime.storage.backends import KeyValueConfig
from runtime.storage.kv import KeyValueStore, Namespaced, open_kv
from runtime.storage.placement import KeyValueReference, StorageConfig

RESOURCE_STORE = Store(name="metadata", part="registry")
"""Where the stack itself keeps registered resources."""


class Storage(Protocol):
    """The stores as a provider sees them: handles by name. The stack opens and closes the backends."""

    def kv(self, ref: str | KeyValueReference) -> KeyValueStore:
        """A store of keys and values; closing it closes nothing.

        ref: the name of a store that an API or a spec declares, placed by `storage.stores.<name>` of the run config;
        or a reference from the provider's own config. Raises KeyError for a name that is not declared and for an
        unknown backend, which a plan refuses; NotSupported for a backend that holds tables; Unavailable if the backend
        cannot be opened.
        """
        ...


class Stores:
    """Backends by name. state_dir: the base of relative paths. declared: the stores of APIs and specs."""

    def __init__(self, config: StorageConfig, state_dir: Path, declared: Iterable[Store] = ()) -> None:
        self._config = config
        self._state_dir = state_dir
        self._declared = {store.name: store for store in (RESOURCE_STORE, *declared)}
        self._kv: dict[str, KeyValueStore] = {}

    async def open(self) -> None:
        """Open the store that every stack needs. Raises Unavailable if that fails."""
        self.kv(RESOURCE_STORE.name)

    def kv(self, ref: str | KeyValueReference) -> KeyValueStore:
        """See `Storage`. The backend is opened at first use."""
        if isinstance(ref, KeyValueReference):
            return self._part(ref.backend, ref.namespace, what="A provider's data", setting="in its `config`")
        place = self._config.place_of(self._declared[ref])
        setting = f"in `storage.stores.{ref}.backend`"
        return self._part(place.backend, place.namespace or "", what=f"The store `{ref}`", setting=setting)

    def _part(self, name: str, namespace: str, *, what: str, setting: str) -> KeyValueStore:
        backend = self._config.backends[name]
        if not isinstance(backend, KeyValueConfig):
            raise NotSupported(
                f"{what} is in `{name}`, which holds tables, but keys and values are needed",
                hint=f"name a `kv_` backend {setting}",
            )
        if name not in self._kv:
            self._kv[name] = open_kv(backend, self._state_dir)
        return Namespaced(self._kv[name], namespace)

    async def close(self) -> None:
        """Close every backend that was opened; a handle of a closed one raises RuntimeError."""
        for store in self._kv.values():
            await store.close()
        self._kv.clear()
