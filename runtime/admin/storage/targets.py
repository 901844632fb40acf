"""Where the parts of an archive go: each takes lines, and counts what its database has of them afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runtime.admin.storage.archive import Digest
from runtime.admin.storage.lines import entry_of, line_of, line_of_entry, row_of
from runtime.clock import wall_time
from runtime.errors import NotSupported
from runtime.provider import HoldsBytes
from runtime.storage.analytics.handle import Analytics
from runtime.storage.analytics.tables import AnalyticsTable
from runtime.storage.kv import KeyValue, KeyValueStore, Put
from runtime.storage.sql import Insert, Select, Totals
from runtime.storage.sql.keys import with_keys
from runtime.storage.sql.store import Row, SqlStore
from runtime.storage.sql.tables import Table

if TYPE_CHECKING:
    from runtime.storage.analytics.loading import Load


class Target:
    """For one part; this one, for what is only looked at, keeps nothing.

    part: what the archive says of it. read: what the archive has of it; found: what the database has of that
    afterwards, and what was left out. added: rows that were not there before; different: those that were, and are not
    the archive's; left_out: those that have expired since the export, and parts of what is not here.
    """

    def __init__(self, part: Mapping[str, Any]) -> None:
        self.part = part
        self.read = Digest()
        self.found = Digest()
        self.added = self.different = self.left_out = 0

    async def is_empty(self) -> bool:
        return True

    async def take_bytes(self, row: Row, content: AsyncIterator[bytes]) -> None:
        """Keep what belongs to a row that comes later. row: its `id` and its `size_bytes`. All of `content` is read.
        Raises NotSupported where nobody can keep it.
        """
        async for _ in content:
            pass

    async def take(self, lines: Sequence[bytes]) -> None:
        """Keep rows that are not there yet, and compare. Raises RequestError for what is none."""

    async def finish(self) -> None:
        """All of them were taken."""

    async def close(self) -> None:
        """Whether it was finished or not."""

    def _compare(self, line: bytes, now: bytes | None) -> None:
        self.different += line != now
        self.found.add_line(now or b"")

    def _leave_out(self, line: bytes) -> None:
        self.left_out += 1
        self.found.add_line(line)


class TableTarget(Target):
    """A table of a store. holder: who keeps the bytes that belong to its rows, if there are any."""

    def __init__(self, part: Mapping[str, Any], store: SqlStore, table: Table, holder: HoldsBytes | None) -> None:
        super().__init__(part)
        self._store = store
        self._table = table
        self._holder = holder

    async def is_empty(self) -> bool:
        return (await self._store.totals(Totals(self._table)))["count"] == 0

    async def take_bytes(self, row: Row, content: AsyncIterator[bytes]) -> None:
        """See Target. Raises NotSupported."""
        mine = Select(self._table, with_keys(self._table, [row]), self._table.key)
        if await self._store.first(mine) is not None:
            await super().take_bytes(row, content)
            return
        if self._holder is None:
            raise NotSupported("nothing in this run config can keep the bytes of files", hint="add a provider of files")
        await self._holder.keep_bytes(self._table.name, row, content)

    async def take(self, lines: Sequence[bytes]) -> None:
        table = self._table
        given = [(line, row_of(table, line)) for line in lines]
        rows = await self._with_owner([row for _, row in given])
        self.added += sum(await self._store.write(*(Insert(table, row, replace=()) for row in rows)))
        found = await self._store.select(Select(table, with_keys(table, rows)))
        by_key = {_key(table.key, row): row for row in found}
        for line, row in given:
            if row not in rows:
                self._leave_out(line)
                continue
            now = by_key.get(_key(table.key, row))
            self._compare(line, None if now is None else line_of(table, now))
            await self._read_bytes(now)

    async def _read_bytes(self, row: Row | None) -> None:
        if self._holder and row:
            self.found.files += 1
            async for data in self._holder.bytes_of(self._table.name, row):
                self.found.add_bytes(data)

    async def _with_owner(self, rows: list[Row]) -> list[Row]:
        """Without those whose owner is not there, since it came while the archive was written, or was skipped."""
        if self._table.part_of is None or self._table.pruned == "expire":
            return rows
        owner, columns = self._store.schema.table(self._table.part_of.table), self._table.part_of.columns
        keys = [dict(zip(owner.key, _key(columns, row), strict=True)) for row in rows]
        there = await self._store.select(Select(owner, with_keys(owner, keys), owner.key))
        known = {_key(owner.key, row) for row in there}
        return [row for row in rows if _key(columns, row) in known]


class KeysTarget(Target):
    """A store of keys and values."""

    def __init__(self, part: Mapping[str, Any], keys: KeyValueStore) -> None:
        super().__init__(part)
        self._keys = keys

    async def is_empty(self) -> bool:
        return not await self._keys.scan("", limit=1)

    async def take(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            given = entry_of(line)
            put = Put(given.key, given.value, expires_at=given.expires_at)
            is_new = not _has_expired(given) and await self._keys.write(put, expected={given.key: None})
            at_its_place = await self._keys.entries(given.key, limit=1)
            now = next((line_of_entry(entry) for entry in at_its_place if entry.key == given.key), None)
            if _has_expired(given):
                self._leave_out(line)
                continue
            self.added += is_new
            self._compare(line, now)


class AnalyticsTarget(Target):
    """A table of analytics: added to in the end, all or nothing, since its rows have no keys. table: with the columns
    that the archive has.
    """

    def __init__(self, part: Mapping[str, Any], analytics: Analytics, table: AnalyticsTable, *, is_empty: bool) -> None:
        super().__init__(part)
        self._analytics = analytics
        self._table = table
        self._is_empty = is_empty
        self._load: Load | None = None

    async def is_empty(self) -> bool:
        return self._is_empty

    async def take(self, lines: Sequence[bytes]) -> None:
        self._load = self._load or await self._analytics.loading(self._table)
        await asyncio.to_thread(self._load.add, lines)

    async def finish(self) -> None:
        if self._load is None:
            return
        self.added = await asyncio.to_thread(self._load.finish)
        came = self._load.lines()
        while lines := await asyncio.to_thread(next, came, None):
            for line in lines:
                self.found.add_line(line)

    async def close(self) -> None:
        if self._load is not None:
            self._load.close()


def _key(columns: Sequence[str], row: Row) -> tuple[Any, ...]:
    return tuple(row[column] for column in columns)


def _has_expired(entry: KeyValue) -> bool:
    return entry.expires_at is not None and entry.expires_at <= wall_time()
