"""Registrations that users make, kept in the metadata store and put back into the table after a restart.

Table and store always agree: changes are made one at a time, in the store first, and are completed even if the caller
leaves: a write that has begun in the store cannot be taken back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Protocol

from runtime.access import Caller, User
from runtime.routing.entry import Entry
from runtime.routing.table import ResourceTable
from runtime.sse import decode, encode
from runtime.storage.kv import KeyValueStore
from runtime.to_the_end import to_the_end
from runtime.turns import Turns

log = logging.getLogger(__name__)
_KINDS = {
    "id": str,
    "provider_id": str,
    "provider_resource_id": str,
    "kind": str,
    "metadata": dict,
    "facts": dict,
    "created": int,
}


class Owners(Protocol):
    """The providers of what is registered, which may keep something of it themselves."""

    def check_owner(self, entry: Entry) -> None:
        """Raises Unavailable while its provider is down that may keep something of it."""
        ...

    async def take_registration(self, entry: Entry, before: Entry | None) -> Entry:
        """Let its provider take what it keeps of it. before: what it takes the place of, None where it is new. Returns
        the entry as it is to be kept. Raises StackError.
        """
        ...

    async def release_registration(self, entry: Entry) -> None:
        """Let its provider give up what it keeps of an entry that was forgotten. Never raises if that fails."""
        ...


class _OwnersWithoutAny:
    def check_owner(self, entry: Entry) -> None:
        return

    async def take_registration(self, entry: Entry, before: Entry | None) -> Entry:
        return entry

    async def release_registration(self, entry: Entry) -> None:
        return


class Registrations:
    """The stored registrations of one table. owners: the providers of what is in it; by default, none of them keeps
    anything. When `add` or `remove` returns, the change is on disk; when it raises,
    nothing has changed, neither in the table nor on disk.
    """

    def __init__(self, table: ResourceTable, store: KeyValueStore, owners: Owners | None = None) -> None:
        self._table = table
        self._store = store
        self._prefix = f"registrations/{table.kind}/"
        self._changing = asyncio.Lock()
        self._of_one = Turns()
        self._owners = owners or _OwnersWithoutAny()

    async def load(self, restored: Callable[[Entry], Entry] = lambda entry: entry) -> None:
        """Put every stored registration back into the table. restored: converts one to this version."""
        entries: list[Entry] = []
        for key, value in await self._store.scan(self._prefix):
            try:
                entries.append(restored(_entry(decode(value))))
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                # One that cannot be read must not prevent the stack from starting.
                log.error("registration not loaded", extra={"key": key, "error": str(error)})
        for entry, refusal in self._table.add_all(entries):
            log.error("registration not loaded", extra={"key": self._prefix + entry.id, "error": refusal.message})

    async def add(self, entry: Entry, user: Caller) -> Entry:
        """Store an entry for a user, then serve it. Returns the served entry: that of the run config, unchanged, if it
        has the same.

        Raises Conflict if another resource has its name, RequestError if its owner has registered too many, and what
        its provider raises that takes what it keeps of it.
        """
        return await to_the_end(self._add(entry, user))

    def takes(self, entry: Entry, user: Caller) -> bool:
        """Whether adding an entry changes anything. Raises Conflict, RequestError as `add` does, and Unavailable while
        its provider is down that keeps something of it.
        """
        changes = self._may_be_added(entry, user)
        if changes:
            self._owners.check_owner(entry)
        return changes

    async def remove(self, name: str, user: Caller) -> None:
        """Remove a registration that the user may see. Raises NotFound, Conflict for what was not registered, and
        Unavailable while its provider is down that keeps something of it.
        """
        await to_the_end(self._remove(name, user))

    async def _add(self, entry: Entry, user: Caller) -> Entry:
        async with self._of_one.of(entry.id):
            if not self.takes(entry, user):
                return self._table.find(entry.id, user) or entry
            before = self._table.names.kept.get(entry.id)
            taken = await self._owners.take_registration(entry, before)
            try:
                return await self._keep(taken, user)
            except BaseException:
                if before is None:
                    await self._owners.release_registration(taken)
                raise

    def _may_be_added(self, entry: Entry, user: Caller) -> bool:
        """Whether adding it changes anything. Raises Conflict, RequestError."""
        if not self._table.accepts(entry, user):
            return False
        self._table.check_room(self._table.as_before(entry))
        return True

    async def _keep(self, entry: Entry, user: Caller) -> Entry:
        async with self._changing:
            if not self._may_be_added(entry, user):
                return self._table.find(entry.id, user) or entry
            entry = self._table.as_before(entry)
            await self._store.set(self._prefix + entry.id, encode(asdict(entry)))
            self._table.add(entry)
            return entry

    async def _remove(self, name: str, user: Caller) -> None:
        async with self._of_one.of(self._table.registered(name, user).id):
            async with self._changing:
                entry = self._table.registered(name, user)
                self._owners.check_owner(entry)
                await self._store.delete(self._prefix + entry.id)
                self._table.remove(entry.id)
            await self._owners.release_registration(entry)


def _entry(stored: dict[str, Any]) -> Entry:
    """An entry from its known fields: a newer version may have stored more. Raises TypeError for fields of a wrong
    type, which would damage the table.
    """
    entry = Entry(**{name: value for name, value in stored.items() if name in Entry.__dataclass_fields__})
    for name, kind in _KINDS.items():
        if not isinstance(getattr(entry, name), kind):
            raise TypeError(f"`{name}` is not a {kind.__name__}")
    return replace(entry, source="registered", owner=_user(stored["owner"]) if stored.get("owner") else None)


def _user(stored: dict[str, Any]) -> User:
    attributes = {str(category): tuple(map(str, values)) for category, values in stored["attributes"].items()}
    return User(principal=stored["principal"], attributes=attributes)
