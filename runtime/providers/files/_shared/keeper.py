"""Keeps bytes and the row that tells of them, so that one is never there without the other; see `tables.py`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runtime.clock import stamp, wall_time
from runtime.errors import Conflict, StackError, StorageFull
from runtime.providers.files._shared.backend import FileBackend, NewFile
from runtime.providers.files._shared.begun import Begun, forget
from runtime.providers.files._shared.content import Content
from runtime.storage import sql

log = logging.getLogger(__name__)
_AT_ONCE = 500


class Keeper:
    """The bytes of one table's rows. begun: the ids that they get, and the table."""

    def __init__(self, backend: FileBackend, begun: Begun) -> None:
        self._table = begun.table
        self._store = begun.store
        self.backend = backend
        self._begun = begun

    async def keep(
        self,
        rows: sql.SqlStore,
        content: Content,
        *,
        filename: str = "",
        purpose: str = "",
        facts: Callable[[], Mapping[str, Any]],
        also: Callable[[str], Sequence[sql.Statement]] = lambda file_id: (),
    ) -> sql.Row:
        """Keep bytes and return their row, both on disk. rows: the store of their owner. filename, purpose: for the
        backend. facts: the rest of the row, asked when the bytes have arrived. also: done with it, given the id.

        Raises what reading and keeping the bytes raises, Conflict if the backend gives an id twice, and Stale
        if `also` does or if it took longer than a day; then nothing is left.
        """
        new = NewFile(id=await self._begun.take(), filename=filename, purpose=purpose)
        file_id = new.id
        try:
            file_id = await self.backend.put(new, content)
            row = {"id": file_id, "created_at": int(stamp()), "size_bytes": content.size_bytes, **facts()}
            self._begun.check(new.id)
            await rows.write(sql.Insert(self._table, row), *also(file_id))
        except sql.Duplicate:  # the backend's id for another file, which stays what it is
            await self._discard([new.id])
            raise Conflict(
                f"The backend gives this file the id `{file_id}`, by which another one is kept",
                code="already_exists",
            ) from None
        except BaseException:
            await self._discard([*{new.id, file_id}])
            raise
        self._begun.settle(new.id)
        return row

    async def remove(self, rows: sql.SqlStore, which: str, visible: sql.Condition) -> None:
        """From now on a file is not there; its bytes follow, at once or, if the backend is down, later. rows: the part
        of the store that the caller sees. Raises Stale if there is no such file, Unavailable if that cannot be written:
        then it is to be removed again, and its bytes may be gone already.
        """
        this = sql.eq("id", which) & visible
        gone = sql.Update(self._table, {"expires_at": 0}, this, expect=1)
        try:
            await rows.write(gone)
        except StorageFull:
            # There may not even be room for this. The bytes make some, if the disk is theirs too.
            if not self.backend.is_local or not await rows.first(sql.Select(self._table, this, ("id",))):
                raise
            await self.backend.remove(which)
            await rows.write(gone)
        try:
            await self._remove([which])
        except StackError as error:
            log.warning("files are removed later", extra={"files": 1, "error": error.message})

    async def collect(self, now: int) -> int:
        """Remove what has expired; returns how many rows. Raises Unavailable if the tables cannot be read."""
        await self._collect_begun(now)
        query = sql.Select(self._table, sql.at_most("expires_at", now), ("id",), ("expires_at",), _AT_ONCE)
        total = 0
        while ids := [row["id"] for row in await self._store.select(query)]:
            gone = await self._remove(ids)
            total += gone
            if gone < _AT_ONCE:
                break
        return total

    async def _collect_begun(self, now: int) -> None:
        """Remove what interrupted uploads have left: what was begun and has no row."""
        while ids := await self._begun.expired(now, _AT_ONCE):
            rows = await self._store.select(sql.Select(self._table, sql.one_of("id", ids), ("id",)))
            kept = {row["id"] for row in rows}
            await self._store.write(forget([*kept]))
            lost = [one for one in ids if one not in kept]
            gone = await self._remove(lost)
            log.info("what may be left of interrupted files removed", extra={"ids": gone})
            if gone < len(lost):
                break

    async def release(self) -> None:
        """This process begins nothing more. Raises Unavailable."""
        await self._begun.release()

    async def _discard(self, ids: Sequence[str]) -> None:
        """As far as possible now; the rest is collected later."""
        # Its row may be there if its caller left.
        expired = sql.Update(self._table, {"expires_at": 0}, sql.one_of("id", ids))
        try:
            await self._store.write(*self._begun.give_up(ids), expired)
            await self._remove(ids)
        except StackError as error:
            log.warning("an interrupted file is removed later", extra={"ids": sorted(ids), "error": error.message})

    async def _remove(self, ids: Sequence[str]) -> int:
        """Remove bytes, then their rows. Returns how many are gone; the others are tried again."""
        gone, trouble = [], None
        for one in ids:
            try:
                await self.backend.remove(one)
            except StackError as error:
                trouble = error
            else:
                gone.append(one)
        if trouble is not None:
            left = len(ids) - len(gone)
            log.warning("files are removed later", extra={"files": left, "error": trouble.message})
        if gone:
            expired = sql.one_of("id", gone) & sql.at_most("expires_at", int(wall_time()))
            await self._store.write(sql.Delete(self._table, expired), forget(gone))
        return len(gone)
