"""Keeps bytes and the row that tells of them, so that one is never there without the other; see `tables.py`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runtime.errors import Conflict, StackError
from runtime.providers.files._shared.backend import FileBackend, NewFile
from runtime.providers.files._shared.content import Content
from runtime.providers.files._shared.holder import Holder
from runtime.providers.files._shared.tables import State
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
_LONGEST_S = 24 * 3600
"""How long one file may take to arrive. What other machines have left unfinished is removed after that."""
_AT_ONCE = 500
_PENDING: State = "pending"
_KEPT: State = "kept"


class Keeper:
    """The bytes of one table's rows. store: of all users. holder: this process."""

    def __init__(self, table: Table, store: SqlStore, backend: FileBackend, holder: Holder) -> None:
        self._table = table
        self._store = store
        self.backend = backend
        self._holder = holder

    async def keep(
        self,
        rows: SqlStore,
        row: Mapping[str, Any],
        new: NewFile,
        content: Content,
        *,
        settled: Callable[[], Mapping[str, Any]],
        also: Callable[[str], Sequence[Statement]] = lambda file_id: (),
    ) -> Row:
        """Keep bytes and return their row, both on disk. rows: the store of their owner. row: what is known before the
        bytes; settled: what is known after them. also: done with it, given the id.

        Raises what reading and keeping the bytes raises, Conflict if the backend gives an id twice, and Stale
        if `also` does or if it took longer than a day; then nothing is left.
        """
        begun = int(time.time())
        started = {"size_bytes": 0, "created_at": begun, "expires_at": begun + _LONGEST_S}
        file_id = new.id
        try:
            pending = {**row, **started, "id": new.id, "state": _PENDING, "held_by": self._holder.name}
            await rows.write(Insert(self._table, pending))
            file_id = await self.backend.put(new, content)
            kept = {
                "id": file_id,
                "created_at": int(time.time()),
                "size_bytes": content.size_bytes,
                **settled(),
                "state": _KEPT,
                "held_by": None,
            }
            ours = eq("id", new.id) & eq("state", _PENDING) & eq("held_by", self._holder.name)
            await rows.write(Update(self._table, kept, ours, expect=1), *also(file_id))
        except Duplicate:  # the backend's id for another file, which stays what it is
            await self._discard({new.id})
            raise Conflict(
                f"The backend gives this file the id `{file_id}`, by which another one is kept",
                code="already_exists",
            ) from None
        except BaseException:
            await self._discard({new.id, file_id})
            raise
        return {**pending, **kept}

    async def remove(self, rows: SqlStore, which: str, visible: Condition) -> None:
        """From now on a file is not there; its bytes follow, at once or, if the backend is down, later. rows: the part
        of the store that the caller sees. Raises Stale if there is no such file.
        """
        await rows.write(Update(self._table, {"expires_at": 0}, eq("id", which) & visible, expect=1))
        await self._remove([which])

    async def collect(self, now: int) -> int:
        """Remove what has expired; returns how much. Raises Unavailable if the tables cannot be read."""
        query = Select(self._table, at_most("expires_at", now), ("id",), ("expires_at",), _AT_ONCE)
        total = 0
        while ids := [row["id"] for row in await self._store.select(query)]:
            gone = await self._remove(ids)
            total += gone
            if gone < _AT_ONCE:
                break
        return total

    async def expire_interrupted(self, ended: Sequence[str]) -> None:
        """What these processes have not finished has expired. Raises Unavailable."""
        await self._store.write(Update(self._table, {"expires_at": 0}, one_of("held_by", ended)))

    async def _discard(self, ids: set[str]) -> None:
        """As far as possible now; the rest is collected later."""
        try:
            await self._store.write(Update(self._table, {"expires_at": 0}, one_of("id", [*ids])))
            await self._remove([*ids])
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
            await self._store.write(Delete(self._table, one_of("id", gone) & at_most("expires_at", int(time.time()))))
        return len(gone)
