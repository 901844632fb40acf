"""The stores of a stack: opens each configured backend once and hands out parts of it by name.

Handles are taken once, in a constructor; nothing here reads the request.
"""

from __future__ import annotations

from pathlib import Path

from runtime.storage.config import StorageConfig, family_of
from runtime.storage.kv import KeyValueStore, Namespaced, open_kv


class Stores:
    """Backends by name. config: complete, as `StorageConfig` makes it. state_dir: where relative paths stand."""

    def __init__(self, config: StorageConfig, state_dir: Path) -> None:
        self._config = config
        self._state_dir = state_dir
        self._kv: dict[str, KeyValueStore] = {}

    async def open(self) -> None:
        """Open what every stack needs, so that a store that cannot be opened is found at the start."""
        self.metadata()

    def metadata(self) -> KeyValueStore:
        """Where registrations are kept."""
        reference = self._config.stores.metadata
        assert reference is not None  # StorageConfig completes it
        return self.kv(reference.backend, namespace=reference.namespace)

    def kv(self, backend: str, *, namespace: str) -> KeyValueStore:
        """Keys and values of one namespace of a `kv_` backend; the backend is opened at first use."""
        if backend not in self._kv:
            config = self._config.backends[backend]
            assert family_of(config.type) == "kv"  # loading has checked it
            self._kv[backend] = open_kv(config, self._state_dir)  # type: ignore[arg-type]
        return Namespaced(self._kv[backend], namespace)

    async def close(self) -> None:
        for store in self._kv.values():
            await store.close()
        self._kv.clear()
