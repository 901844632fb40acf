"""What every key-value store promises, and the way from a backend's config to a store.

Knows keys and bytes, not what is kept under them. Keys are text without surrogates, values bytes. What `set`,
`delete` and `compare_and_set` have returned from is kept: for a store on disk also when the process is killed or the
power fails afterwards. A value whose time is up is as good as deleted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from runtime.storage.backends import BACKENDS, NAMESPACE_SEPARATOR, KeyValueConfig


class KeyValueStore(Protocol):
    """Values by key, in key order. Raises Unavailable where its file or server fails; RuntimeError once closed."""

    async def get(self, key: str) -> bytes | None:
        """The value, None where there is none."""

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Keep `value` in place of what was there. ttl_s: seconds until it is gone, for ever unless given."""

    async def delete(self, key: str) -> bool:
        """Remove the key. Returns whether it was there."""

    async def scan(self, prefix: str, *, after: str | None = None, limit: int | None = None) -> list[tuple[str, bytes]]:
        """Keys that begin with `prefix`, with values, in the order of code points. after: only greater keys."""

    async def compare_and_set(self, key: str, expected: bytes | None, value: bytes) -> bool:
        """Keep `value`, for ever, if `key` now has `expected` (None: is not there). Returns whether it was kept."""

    async def close(self) -> None:
        """Finish what was asked for and let go of the place. A second call does nothing."""


class Namespaced:
    """A part of a store under a name of its own: the same promises, with keys that no other namespace sees.

    Closing it closes nothing, since the store belongs to whoever opened it; unless it is the `owner`.
    """

    def __init__(self, store: KeyValueStore, namespace: str, *, owner: bool = False) -> None:
        if NAMESPACE_SEPARATOR in namespace:
            raise ValueError(f"a namespace cannot hold the separator: {namespace!r}")
        self._store = store
        self._owner = owner
        self._prefix = namespace + NAMESPACE_SEPARATOR

    async def get(self, key: str) -> bytes | None:
        return await self._store.get(self._prefix + key)

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        await self._store.set(self._prefix + key, value, ttl_s=ttl_s)

    async def delete(self, key: str) -> bool:
        return await self._store.delete(self._prefix + key)

    async def scan(self, prefix: str, *, after: str | None = None, limit: int | None = None) -> list[tuple[str, bytes]]:
        start = None if after is None else self._prefix + after
        found = await self._store.scan(self._prefix + prefix, after=start, limit=limit)
        return [(key[len(self._prefix) :], value) for key, value in found]

    async def compare_and_set(self, key: str, expected: bytes | None, value: bytes) -> bool:
        return await self._store.compare_and_set(self._prefix + key, expected, value)

    async def close(self) -> None:
        if self._owner:
            await self._store.close()


def open_kv(config: KeyValueConfig, state_dir: Path) -> KeyValueStore:
    """The store of a backend; a relative `db_path` stands in `state_dir`. Whoever opens it closes it.

    Takes some milliseconds of disk, so it belongs to the start of a stack. Raises Unavailable where the store cannot
    be opened.
    """
    store: KeyValueStore = BACKENDS[config.type].load()(config, state_dir)
    return Namespaced(store, config.namespace, owner=True) if config.namespace else store
