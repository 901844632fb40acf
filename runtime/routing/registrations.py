"""Registrations that survive: entries that a user added, kept in the metadata store and back in the table after a
restart.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from runtime.errors import StackError
from runtime.routing.table import Entry, ResourceTable
from runtime.sse import decode, encode
from runtime.storage.kv import KeyValueStore

log = logging.getLogger(__name__)


class Registrations:
    """The stored registrations of one table. What `add` and `remove` acknowledge is on disk."""

    def __init__(self, table: ResourceTable, store: KeyValueStore) -> None:
        self._table = table
        self._store = store
        self._prefix = f"registrations/{table.kind}/"

    async def load(self) -> None:
        """Put every stored registration back into the table."""
        for key, value in await self._store.scan(self._prefix):
            try:
                self._table.keep(Entry(**_fields(decode(value))))
            except (ValueError, TypeError, StackError) as error:
                # One that cannot be read must not keep the rest of the stack from starting.
                log.error("registration not loaded", extra={"key": key, "error": str(error)})

    async def add(self, entry: Entry) -> None:
        """Store an entry, then serve it. Raises Conflict when its name is another resource's."""
        before = self._table.kept(entry.id)
        self._table.keep(entry)
        if before is not None and before.source == "config":
            return
        try:
            await self._store.set(self._prefix + entry.id, encode(asdict(entry)))
        except BaseException:
            # What is not on disk is not served either, or a restart would take it away.
            self._table.forget(entry.id)
            if before is not None:
                self._table.keep(before)
            raise

    async def remove(self, name: str) -> None:
        """Raises NotFound, or Conflict for what was not registered."""
        entry = self._table.forget(name)
        await self._store.delete(self._prefix + entry.id)


def _fields(stored: dict[str, Any]) -> dict[str, Any]:
    """Only the fields that an entry has: a newer version may have stored more."""
    return {name: value for name, value in stored.items() if name in Entry.__dataclass_fields__}
