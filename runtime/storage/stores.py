"""The stores of a stack: opens each configured backend once and hands out parts of it by name.

Handles are taken once, in a constructor; nothing here reads the request.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from runtime.errors import NotSupported
from runtime.storage.config import StorageConfig, family_of
from runtime.storage.kv import KeyValueStore, Namespaced, open_kv


class Storage(Protocol):
    """What a provider sees of the stores: handles by name. Who opens and closes the backends is not its business."""

    def kv(self, store: str) -> KeyValueStore:
        """The store that `storage.stores.<store>` of the run config places, such as `prompts`; closing it closes
        nothing.

        Raises KeyError for a name that is no store, NotSupported for one whose backend holds tables.
        """
        ...


class Stores:
    """Backends by name. config: complete, as `StorageConfig` makes it. state_dir: where relative paths stand."""

    def __init__(self, config: StorageConfig, state_dir: Path) -> None:
        self._config = config
        self._state_dir = state_dir
        self._kv: dict[str, KeyValueStore] = {}

    async def open(self) -> None:
        """Open what every stack needs, so that a store that cannot be opened is found at the start."""
        self.kv("metadata")

    def kv(self, store: str) -> KeyValueStore:
        """See `Storage`. The backend is opened at first use; raises Unavailable where it cannot be."""
        if store not in type(self._config.stores).model_fields:
            raise KeyError(store)
        reference = getattr(self._config.stores, store)
        backend = self._config.backends[reference.backend]  # loading has checked that it is there
        if family_of(backend.type) != "kv":
            raise NotSupported(
                f"The store `{store}` is in `{reference.backend}`, which holds tables, and keys and values are needed",
                hint=f"name a `kv_` backend in `storage.stores.{store}.backend`",
            )
        if reference.backend not in self._kv:
            self._kv[reference.backend] = open_kv(backend, self._state_dir)  # type: ignore[arg-type]  # of that family
        namespace = store if reference.namespace is None else reference.namespace
        return Namespaced(self._kv[reference.backend], namespace)

    async def close(self) -> None:
        for store in self._kv.values():
            await store.close()
        self._kv.clear()
