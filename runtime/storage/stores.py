"""The stores of a stack: opens each configured backend once and hands out parts of it, by name or by reference.

Handles are taken once, in a constructor; nothing here reads the request.
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
    """What a provider sees of the stores: handles by name. Who opens and closes the backends is not its business."""

    def kv(self, ref: str | KeyValueReference) -> KeyValueStore:
        """A store of keys and values; closing it closes nothing.

        ref: the name of a store that an API or a spec states, placed by `storage.stores.<name>` of the run config; or
        a reference from the provider's own config. Raises KeyError for a name that nobody states and for a backend
        that is not there, which a plan refuses; NotSupported for a backend that holds tables; Unavailable where the
        backend cannot be opened.
        """
        ...


class Stores:
    """Backends by name. state_dir: where relative paths stand. stated: the stores of APIs and specs."""

    def __init__(self, config: StorageConfig, state_dir: Path, stated: Iterable[Store] = ()) -> None:
        self._config = config
        self._state_dir = state_dir
        self._stated = {store.name: store for store in (RESOURCE_STORE, *stated)}
        self._kv: dict[str, KeyValueStore] = {}

    async def open(self) -> None:
        """Open what every stack needs. Raises Unavailable where that cannot be opened."""
        self.kv(RESOURCE_STORE.name)

    def kv(self, ref: str | KeyValueReference) -> KeyValueStore:
        """See `Storage`. The backend is opened at first use."""
        if isinstance(ref, KeyValueReference):
            return self._part(ref.backend, ref.namespace, what="What a provider keeps", setting="in its `config`")
        place = self._config.place_of(self._stated[ref])
        setting = f"in `storage.stores.{ref}.backend`"
        return self._part(place.backend, place.namespace or "", what=f"The store `{ref}`", setting=setting)

    def _part(self, name: str, namespace: str, *, what: str, setting: str) -> KeyValueStore:
        backend = self._config.backends[name]
        if not isinstance(backend, KeyValueConfig):
            raise NotSupported(
                f"{what} is in `{name}`, which holds tables, and keys and values are needed",
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
