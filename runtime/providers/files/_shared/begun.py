"""Ids under which this process may have begun to keep bytes: on disk before the first byte, so that the bytes of an
upload are found whatever ends the process.

    free  ->  taken: bytes may be there  ->  settled: they have a row, or are gone  ->  forgotten

Sixteen ids are written at a time, so that a file costs little more than its own row. Those of a process that has ended,
or that are older than an upload can be, have expired: what of them has no row is removed by whoever finds them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from runtime.clock import wall_time
from runtime.ids import new_position, ordered_id
from runtime.providers.files._shared.holder import Holder
from runtime.providers.files._shared.tables import BEGUN
from runtime.storage import sql

LONGEST_S = 24 * 3600
"""How long one file may take to arrive."""
_FREE_S = 3600
_HELD_S = LONGEST_S + 2 * _FREE_S
"""How long an id is its process's: one that is taken in the last moment has its row an hour before that, by which the
clocks of two machines may differ.
"""
_RESERVED_AT_ONCE = 16
_FORGOTTEN_AT_ONCE = 500


class Begun:
    """The ids for the rows of one table. begin: what they begin with. store: of all users. holder: this process."""

    def __init__(self, table: sql.Table, begin: str, store: sql.SqlStore, holder: Holder) -> None:
        self.table = table
        self._begin = begin
        self.store = store
        self._holder = holder
        self._reserving = asyncio.Lock()
        self._free: list[str] = []
        self._free_until = 0.0
        self._taken: dict[str, float] = {}
        self._settled: list[str] = []

    async def take(self) -> str:
        """A new id, by which bytes may be kept from now on; `settle` follows. Raises Unavailable."""
        while not self._free or wall_time() > self._free_until:
            async with self._reserving:
                if not self._free or wall_time() > self._free_until:
                    await self._reserve()
        taken = self._free.pop()
        self._taken[taken] = wall_time()
        return taken

    def check(self, taken: str) -> None:
        """Raises Stale where others may remove the bytes of this id: it was taken a day ago, or this has ended."""
        if wall_time() > self._taken.get(taken, 0.0) + LONGEST_S:
            raise sql.Stale(f"`{taken}` is not this process's any more")

    def settle(self, taken: str) -> None:
        """Its bytes have a row."""
        self._taken.pop(taken, None)
        self._settled.append(taken)

    def give_up(self, ids: Collection[str]) -> list[sql.Statement]:
        """What makes ids expire, whoever gave them: their bytes may be there, and are to be removed."""
        for one in ids:
            self._taken.pop(one, None)
        return [sql.Insert(BEGUN, self._row(one, expires_at=0), replace=("expires_at",)) for one in ids]

    async def expired(self, now: int, limit: int) -> list[str]:
        """Ids whose bytes nobody keeps any more unless they have a row. Raises Unavailable."""
        which = sql.eq("of_table", self.table.name) & sql.at_most("expires_at", now)
        rows = await self.store.select(sql.Select(BEGUN, which, ("id",), ("expires_at", "id"), limit))
        return [row["id"] for row in rows]

    async def release(self) -> None:
        """What is taken has expired, and the rest is forgotten. Raises Unavailable."""
        if self._free_until:
            unused = sql.one_of("id", [*self._free, *self._settled])
            self._free, self._taken = [], {}
            held = sql.eq("held_by", self._holder.name) & sql.eq("of_table", self.table.name)
            await self.store.write(sql.Delete(BEGUN, unused), sql.Update(BEGUN, {"expires_at": 0}, held))

    async def _reserve(self) -> None:
        """Also forgets what is settled, and ids that have been free for too long."""
        self._settled += self._free
        self._free = []
        settled = self._settled[:_FORGOTTEN_AT_ONCE]
        now = wall_time()
        new = [ordered_id(self._begin, new_position()) for _ in range(_RESERVED_AT_ONCE)]
        rows = [sql.Insert(BEGUN, self._row(one, expires_at=int(now) + _HELD_S)) for one in new]
        await self.store.write(*rows, sql.Delete(BEGUN, sql.one_of("id", settled)))
        del self._settled[: len(settled)]
        self._free, self._free_until = new[::-1], now + _FREE_S

    def _row(self, one: str, *, expires_at: int) -> dict[str, object]:
        return {"id": one, "of_table": self.table.name, "held_by": self._holder.name, "expires_at": expires_at}


def expire_those_of(holder: str) -> sql.Statement:
    """What is done once a process has ended."""
    return sql.Update(BEGUN, {"expires_at": 0}, sql.eq("held_by", holder))


def forget(ids: Sequence[str]) -> sql.Statement:
    """What is done once the bytes of ids have a row or are gone."""
    return sql.Delete(BEGUN, sql.one_of("id", ids))
