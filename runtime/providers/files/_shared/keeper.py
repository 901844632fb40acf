"""Keeps bytes and the row that tells of them, so that one is never there without the other; see `tables.py`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runtime.clock import wall_time
from runtime.errors import Conflict, StackError
from runtime.providers.files._shared.backend import FileBackend, NewFile
from runtime.providers.files._shared.begun import Begun, forget
from runtime.providers.files._shared.content import Content
from runtime.storage.sql import (
    Condition,
    Delete,
    Duplicate,
    Insert,
    Row,
    Select,
    SqlStore,
    Statement,
    Table,
    Update,
    at_most,
    eq,
    one_of,
)

log = logging.getLogger(__name__)
_AT_ONCE = 500


class Keeper:
    """The bytes of one table's rows. store: of all users. begun: the ids that they get."""

    def __init__(self, table: Table, store: SqlStore, backend: FileBackend, begun: Begun) -> None:
        self._table = table
        self._store = store
        self.backend = backend
        self._begun = begun

    async def keep(
        self,
        rows: SqlStore,
        content: Content,
        *,
        filename: str = "",
        purpose: str = "",
        facts: Callable[[], Mapping[str, Any]],
        also: Callable[[str], Sequence[Statement]] = lambda file_id: (),
    ) -> Row:
        """Keep bytes and return their row, both on disk. rows: the store of their owner. filename, purpose: for the
        backend. facts: the rest of the row, asked when the bytes have arrived. also: done with it, given the id.

        Raises what reading and keeping the bytes raises, Conflict if the backend gives an id twice, and Stale
        if `also` does or if it took longer than a day; then nothing is left.
        """
        new = NewFile(id=await self._begun.take(), filename=filename, purpose=purpose)
        file_id = new.id
        try:
            file_id = await self.backend.put(new, content)
            row = {"id": file_id, "created_at": int(wall_time()), "size_bytes": content.size_bytes, **facts()}
            self._begun.check(new.id)
            await rows.write(Insert(self._table, row), *also(file_id))
        except Duplicate:  # the backend's id for another file, which stays what it is
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

    async def remove(self, rows: SqlStore, which: str, visible: Condition) -> None:
        """From now on a file is not there; its bytes follow, at once or, if the backend is down, later. rows: the part
        of the store that the caller sees. Raises Stale if there is no such file.
        """
        await rows.write(Update(self._table, {"expires_at": 0}, eq("id", which) & visible, expect=1))
        await self._remove([which])

    async def collect(self, now: int) -> int:
        """Remove what has expired; returns how many rows. Raises Unavailable if the tables cannot be read."""
        await self._collect_begun(now)
        query = Select(self._table, at_most("expires_at", now), ("id",), ("expires_at",), _AT_ONCE)
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
            kept = {row["id"] for row in await self._store.select(Select(self._table, one_of("id", ids), ("id",)))}
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
        expired = Update(self._table, {"expires_at": 0}, one_of("id", ids))  # its row may be there if its caller left
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
            expired = one_of("id", gone) & at_most("expires_at", int(wall_time()))
            await self._store.write(Delete(self._table, expired), forget(gone))
        return len(gone)
