"""Keys and values in one table of a PostgreSQL database. Keys are bytes there: so they are ordered by code points,
whatever the database's collation, and may have U+0000.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from runtime.clock import wall_time
from runtime.storage.kv import Change, KeyValue, KeyValueStore, Put, check_keys
from runtime.storage.postgres.config import PostgresKeyValueConfig
from runtime.storage.postgres.database import Database
from runtime.storage.postgres.migrating import bring_up_to_date
from runtime.storage.sql.backend import Compiled
from runtime.storage.sql.dialects import quoted
from runtime.storage.sql.failures import Stale
from runtime.storage.sql.migrations import KEY_VALUE
from runtime.storage.sql.tables import Column, Index, Schema, Table

_WHAT = "key-value store"
_SCHEMA = Schema(
    name=KEY_VALUE,
    tables=(
        Table(
            name="",
            columns=(Column("key", "bytes"), Column("value", "bytes"), Column("expires_at", "real", nullable=True)),
            key=("key",),
            indexes=(Index(("expires_at",)),),
            has_owners=False,
            holds="keys",
        ),
    ),
)


class PostgresKeyValueStore(KeyValueStore):
    """The store in one table, which is made if it is missing; used from one event loop. The first call connects.

    clock: seconds since the epoch.
    """

    def __init__(self, database: Database, table: str, *, clock: Callable[[], float] = wall_time) -> None:
        self._database = database
        self._table = table
        self._clock = clock
        self._writes = database.queue()  # one writer, so that changes of a key keep their order
        self._opening = asyncio.Lock()
        self._is_ready = False
        self._sql = _Texts(quoted(table))

    async def get(self, key: str) -> bytes | None:
        await self._prepare()
        rows = await self._database.read(self._sql.get, (key.encode(), self._clock()))
        return rows[0][0] if rows else None

    async def write(self, *changes: Change, expected: Mapping[str, bytes | None] | None = None) -> bool:
        await self._prepare()
        checks = expected or {}
        check_keys(*checks, *(change.key for change in changes))
        now = self._clock()
        first = changes[0] if changes else None
        if isinstance(first, Put) and not first.expires and len(changes) == 1 and [*checks] == [first.key]:
            [count] = await self._writes.do([self._compare_and_set(first, checks[first.key], now)])
            return count == 1
        try:
            await self._writes.do([*self._checks(checks, changes, now), *self._changes(changes, now)])
        except Stale:
            return False
        return True

    async def delete(self, key: str) -> bool:
        await self._prepare()
        [count] = await self._writes.do([Compiled(self._sql.remove_live, (key.encode(), self._clock()))])
        return count == 1

    async def entries(self, prefix: str, *, after: str | None = None, limit: int | None = None) -> list[KeyValue]:
        await self._prepare()
        start = prefix.encode()
        query, values = self._sql.scan, [self._clock(), start]
        for condition, value in (("key < ${}", _next(start)), ("key > ${}", None if after is None else after.encode())):
            if value is not None:
                values.append(value)
                query += " AND " + condition.format(len(values))
        query += " ORDER BY key"
        if limit is not None:
            query += f" LIMIT {limit:d}"
        return [KeyValue(key.decode(), *rest) for key, *rest in await self._database.read(query, values)]

    async def close(self) -> None:
        if self._is_ready:  # those who still wait for their turn have asked before, and the lock keeps that order
            async with self._opening:
                pass
        await self._database.close()

    def _changes(self, changes: Sequence[Change], now: float) -> Iterator[Compiled]:
        if any(isinstance(change, Put) and change.expires for change in changes):
            yield Compiled(self._sql.forget, (now,))  # a write of an expiring value also removes expired ones
        for change in changes:
            key = change.key.encode()
            if isinstance(change, Put):
                yield Compiled(self._sql.put, (key, change.value, change.end(now)), adds_one=True)
            else:
                yield Compiled(self._sql.remove, (key,))

    def _checks(self, checks: Mapping[str, bytes | None], changes: Sequence[Change], now: float) -> Iterator[Compiled]:
        """Statements that change another number of rows than expected if a check does not hold, and hold off others."""
        changed = {change.key for change in changes}
        for key, value in sorted(checks.items()):
            if value is not None:
                yield Compiled(self._sql.hold, (key.encode(), value, now), expect=1)
                continue
            yield Compiled(self._sql.add, (key.encode(), b"", None, now), expect=1)
            if key not in changed:
                yield Compiled(self._sql.remove, (key.encode(),))

    def _compare_and_set(self, change: Put, expected: bytes | None, now: float) -> Compiled:
        key = change.key.encode()
        if expected is None:
            return Compiled(self._sql.add, (key, change.value, None, now))
        return Compiled(self._sql.replace, (key, change.value, expected, now))

    async def _prepare(self) -> None:
        self._database.check_open()
        if self._is_ready:
            return
        async with self._opening:
            if not self._is_ready:
                await bring_up_to_date(self._database.connections, _SCHEMA, self._table)
                self._is_ready = True


class _Texts:
    """The statements for one table, whose quoted name is given."""

    def __init__(self, name: str) -> None:
        live = "(expires_at IS NULL OR expires_at > {})"
        self.get = f"SELECT value FROM {name} WHERE key = $1 AND {live.format('$2')}"  # noqa: S608  # ours
        self.scan = f"SELECT key, value, expires_at FROM {name} WHERE {live.format('$1')} AND key >= $2"  # noqa: S608  # ours
        self.hold = f"SELECT 1 FROM {name} WHERE key = $1 AND value = $2 AND {live.format('$3')} FOR UPDATE"  # noqa: S608  # ours
        self.put = (
            f"INSERT INTO {name} (key, value, expires_at) VALUES ($1, $2, $3)"  # noqa: S608  # ours
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at"
        )
        self.add = f"{self.put} WHERE {name}.expires_at <= $4"
        self.replace = (
            f"UPDATE {name} SET value = $2, expires_at = NULL"  # noqa: S608  # ours
            f" WHERE key = $1 AND value = $3 AND {live.format('$4')}"
        )
        self.remove = f"DELETE FROM {name} WHERE key = $1"  # noqa: S608  # ours
        self.remove_live = f"{self.remove} AND {live.format('$2')}"
        self.forget = (
            f"DELETE FROM {name} WHERE key IN (SELECT key FROM {name} WHERE expires_at <= $1"  # noqa: S608  # ours
            " ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED)"  # what another process removes is left to it
        )


def open_postgres(config: PostgresKeyValueConfig, state_dir: Path) -> PostgresKeyValueStore:
    """The store of a `kv_postgres` backend, which is not asked yet."""
    return PostgresKeyValueStore(Database(config, _WHAT), config.table_name)


def _next(prefix: bytes) -> bytes | None:
    """The smallest text that is greater than all that begin with `prefix`, whose bytes are UTF-8's; None for none."""
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else None
