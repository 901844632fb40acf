"""Keys and values in a Redis server. How they lie there: `runtime/storage/redis/scripts.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from runtime.storage.kv import Change, KeyValue, KeyValueStore, Put, Remove, check_keys
from runtime.storage.redis.config import RedisKeyValueConfig
from runtime.storage.redis.connections import Connections
from runtime.storage.redis.scripts import EXPIRING, KEYS, SCAN, VALUES
from runtime.storage.redis.writes import Writes

_MOST_KEYS, _ENOUGH_BYTES = 1000, 4 << 20
"""What one call of SCAN returns: Redis answers nobody else meanwhile."""


class RedisKeyValueStore(KeyValueStore):
    """The store in one database of the server; used from one event loop. The first call connects.

    A scan of more than 1000 keys or 4 MB sees changes that come while it runs.
    """

    def __init__(self, config: RedisKeyValueConfig) -> None:
        self._connections = Connections(config)
        self._writes = Writes(self._connections)
        self._closed = False

    async def get(self, key: str) -> bytes | None:
        self._check_open()
        name = VALUES + key.encode()
        return await self._connections.get(name)

    async def entries(self, prefix: str, *, after: str | None = None, limit: int | None = None) -> list[KeyValue]:
        self._check_open()
        start = prefix.encode()
        lower = b"[" + start if after is None or after.encode() < start else b"(" + after.encode()
        upper = b"(" + start + b"\xff"  # a byte that UTF-8 does not have
        found: list[KeyValue] = []
        while limit is None or len(found) < limit:
            most = _MOST_KEYS if limit is None else min(limit - len(found), _MOST_KEYS)
            call = (KEYS, EXPIRING, VALUES, lower, upper, most, _ENOUGH_BYTES)
            [result] = await self._connections.run("read", SCAN, [call], keys=2)
            if isinstance(result, Exception):
                raise result
            items, last = result
            found += map(_entry, items[::3], items[1::3], items[2::3])
            if last is None:
                break
            lower = b"(" + last
        return found

    async def write(self, *changes: Change, expected: Mapping[str, bytes | None] | None = None) -> bool:
        return await self._write(changes, expected or {}) > 0

    async def delete(self, key: str) -> bool:
        return await self._write([Remove(key)], {}) == 2

    async def close(self) -> None:
        self._closed = True
        await self._writes.finish()
        await self._connections.close()

    async def _write(self, changes: Iterable[Change], checks: Mapping[str, bytes | None]) -> int:
        self._check_open()
        changes = tuple(changes)
        check_keys(*checks, *(change.key for change in changes))
        call: list[bytes | int] = [VALUES, len(checks), len(changes)]
        for key, value in checks.items():
            call += (key.encode(), b"" if value is None else b"=", value or b"")
        for change in changes:
            if isinstance(change, Put):
                call += (change.key.encode(), b"put", bytes(change.value), _end(change))
            else:
                call += (change.key.encode(), b"remove", b"", b"")
        return await self._writes.do(call)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the key-value store is closed")


def _end(put: Put) -> bytes:
    """In milliseconds: from when the server has it on, or after `@` since 1970; nothing for never."""
    if put.ttl_s is not None:
        return b"%d" % max(1, round(put.ttl_s * 1000))
    return b"" if put.expires_at is None else b"@%d" % round(put.expires_at * 1000)


def _entry(key: bytes, value: bytes, end_ms: bytes) -> KeyValue:
    return KeyValue(key.decode(), value, float(end_ms) / 1000 if end_ms else None)


def open_redis(config: RedisKeyValueConfig, state_dir: Path) -> RedisKeyValueStore:
    """The store of a `kv_redis` backend, which is not asked yet."""
    return RedisKeyValueStore(config)
