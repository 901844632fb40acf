"""The interface of key-value stores, and the function that opens one from a backend's config.

Knows keys and bytes, not what they mean. Keys are text without surrogates, values are bytes. When a method that changes
something has returned, the change is permanent: in a store on disk also if the process is killed or the power fails
afterwards. An expired value counts as deleted. A new backend implements the abstract methods of `KeyValueStore`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from runtime.errors import Unavailable
from runtime.storage.backends import BACKENDS
from runtime.storage.settings import NAMESPACE_SEPARATOR, KeyValueConfig


@dataclass(frozen=True, slots=True)
class Put:
    """Store `value`, replacing the old one. ttl_s: seconds until it expires; or expires_at: when, in seconds since
    1970. None for never.
    """

    key: str
    value: bytes
    ttl_s: float | None = None
    expires_at: float | None = None

    @property
    def expires(self) -> bool:
        return self.ttl_s is not None or self.expires_at is not None

    def end(self, now: float) -> float | None:
        """When it expires. now: in seconds since 1970."""
        return self.expires_at if self.ttl_s is None else now + self.ttl_s


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the key, if it is there."""

    key: str


Change = Put | Remove


@dataclass(frozen=True, slots=True)
class KeyValue:
    """What a store has at a key. expires_at: in seconds since 1970, to a millisecond at least; None for never."""

    key: str
    value: bytes
    expires_at: float | None = None


def check_keys(*keys: str) -> None:
    """Raises UnicodeEncodeError, a ValueError, for a key with surrogates, which no store on disk can hold."""
    for key in keys:
        key.encode()


class KeyValueStore(Protocol):
    """Values by key, in key order. Raises Unavailable if its file or server fails; RuntimeError once closed."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""

    async def entries(self, prefix: str, *, after: str | None = None, limit: int | None = None) -> list[KeyValue]:
        """What begins with `prefix`, ordered by code points. after: only greater keys."""

    async def write(self, *changes: Change, expected: Mapping[str, bytes | None] | None = None) -> bool:
        """Do all changes, in this order, if each key of `expected` has this value (None: no value); else do none.

        Returns whether it did. Others see all changes or none. Raises NotSupported where a server can change only one
        key at a time and more are named.
        """

    async def delete(self, key: str) -> bool:
        """Remove the key. Returns whether it was there."""

    async def close(self) -> None:
        """Finish pending work and release the file or server. A second call does nothing."""

    async def scan(self, prefix: str, *, after: str | None = None, limit: int | None = None) -> list[tuple[str, bytes]]:
        """Keys with values, as `entries` has them."""
        return [(entry.key, entry.value) for entry in await self.entries(prefix, after=after, limit=limit)]

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Store `value`, replacing the old one. ttl_s: seconds until it expires; never by default."""
        await self.write(Put(key, value, ttl_s))


class Namespaced(KeyValueStore):
    """A part of a store, with the same interface and keys that no other namespace sees.

    owner: whether closing it closes the store; by default it does not. trouble: why its last write failed, if the store
    was the reason; else empty.
    """

    def __init__(self, store: KeyValueStore, namespace: str, *, owner: bool = False) -> None:
        if NAMESPACE_SEPARATOR in namespace:
            raise ValueError(f"a namespace cannot contain the separator: {namespace!r}")
        self._store = store
        self._owner = owner
        self._prefix = namespace + NAMESPACE_SEPARATOR
        self.trouble = ""

    async def get(self, key: str) -> bytes | None:
        return await self._store.get(self._prefix + key)

    async def delete(self, key: str) -> bool:
        return await self._noted(self._store.delete(self._prefix + key))

    async def entries(self, prefix: str, *, after: str | None = None, limit: int | None = None) -> list[KeyValue]:
        start = None if after is None else self._prefix + after
        found = await self._store.entries(self._prefix + prefix, after=start, limit=limit)
        return [replace(entry, key=entry.key[len(self._prefix) :]) for entry in found]

    async def write(self, *changes: Change, expected: Mapping[str, bytes | None] | None = None) -> bool:
        inner = [replace(change, key=self._prefix + change.key) for change in changes]
        checks = {self._prefix + key: value for key, value in (expected or {}).items()}
        return await self._noted(self._store.write(*inner, expected=checks))

    async def close(self) -> None:
        if self._owner:
            await self._store.close()

    async def _noted(self, write: Awaitable[bool]) -> bool:
        try:
            done = await write
        except Unavailable as error:
            self.trouble = error.message
            raise
        self.trouble = ""
        return done


def open_kv(config: KeyValueConfig, state_dir: Path) -> KeyValueStore:
    """The store of a backend; a relative `db_path` is relative to `state_dir`. The caller must close it.

    Blocks for some milliseconds, so call it while a stack starts. Raises Unavailable if the store cannot be opened.
    """
    store: KeyValueStore = BACKENDS[config.type].load()(config, state_dir)
    return Namespaced(store, config.namespace, owner=True) if config.namespace else store
