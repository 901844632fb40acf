"""Keys and values in memory, lost when the process ends; for tests and for servers that need no storage."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from pathlib import Path

from runtime.clock import wall_time
from runtime.storage.backends import MemoryKeyValueConfig
from runtime.storage.kv import Change, KeyValue, KeyValueStore, Put, check_keys


class MemoryKeyValueStore(KeyValueStore):
    """A dictionary with ordered keys. clock: seconds, for values that expire."""

    def __init__(self, *, clock: Callable[[], float] = wall_time) -> None:
        self._clock = clock
        self._values: dict[str, tuple[bytes, float | None]] = {}
        self._keys: list[str] = []
        self._ends: list[tuple[float, str]] = []  # a heap; it may also contain former ends of a key
        self._closed = False

    async def get(self, key: str) -> bytes | None:
        return self._live(key)

    async def write(self, *changes: Change, expected: Mapping[str, bytes | None] | None = None) -> bool:
        self._check_open()
        checks = expected or {}
        check_keys(*checks, *(change.key for change in changes))
        if any(self._live(key) != value for key, value in checks.items()):
            return False
        for change in changes:
            if isinstance(change, Put):
                self._keep(change)
            elif self._live(change.key) is not None:
                self._forget(change.key)
        return True

    async def delete(self, key: str) -> bool:
        if self._live(key) is None:
            return False
        self._forget(key)
        return True

    async def entries(self, prefix: str, *, after: str | None = None, limit: int | None = None) -> list[KeyValue]:
        self._check_open()
        start = bisect_left(self._keys, prefix)
        if after is not None:
            start = max(start, bisect_right(self._keys, after))
        found: list[KeyValue] = []
        for key in self._keys[start:]:
            if not key.startswith(prefix) or (limit is not None and len(found) >= limit):
                break
            value, expires_at = self._values[key]
            if expires_at is None or expires_at > self._clock():
                found.append(KeyValue(key, value, expires_at))
        return found

    async def close(self) -> None:
        self._closed = True

    def _live(self, key: str) -> bytes | None:
        self._check_open()
        value, expires_at = self._values.get(key, (None, None))
        if expires_at is not None and expires_at <= self._clock():
            self._forget(key)
            return None
        return value

    def _keep(self, new: Put) -> None:
        if new.key not in self._values:
            insort(self._keys, new.key)
        now = self._clock()
        expires_at = new.end(now)
        self._values[new.key] = (bytes(new.value), expires_at)
        if expires_at is None:
            return
        heappush(self._ends, (expires_at, new.key))
        while self._ends and self._ends[0][0] <= now:  # remove expired values, as the store on disk does
            self._live(heappop(self._ends)[1])

    def _forget(self, key: str) -> None:
        del self._values[key]
        del self._keys[bisect_left(self._keys, key)]

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the key-value store is closed")


def open_memory(config: MemoryKeyValueConfig, state_dir: Path) -> MemoryKeyValueStore:
    """The store of a `kv_memory` backend."""
    return MemoryKeyValueStore()
