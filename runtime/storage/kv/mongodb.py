"""Keys and values in a collection of MongoDB, a document each:

{"_id": key, "value": bytes, "revision": new with each change, "expires_at": date or null}

Strings are ordered by the bytes of UTF-8, which is the order of code points. A change that depends on a value is found
by its revision, so that values stand in no query, and in none of the server's logs of slow ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runtime.clock import wall_time
from runtime.errors import NotSupported
from runtime.ids import new_id
from runtime.storage.kv import Change, KeyValue, KeyValueStore, Put, Remove, check_keys
from runtime.storage.mongodb.collection import EXPIRES_AT, Collection, Document, Duplicate
from runtime.storage.mongodb.config import MongoKeyValueConfig

_LAST_POINT, _SURROGATES = 0x10FFFF, range(0xD800, 0xE000)


class _NotAsExpectedError(Exception):
    """A check of a batch does not hold: its transaction is undone."""


@dataclass
class _Turn:
    """Who changes a key now. takers: how many do so or wait for it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    takers: int = 0


class MongoKeyValueStore(KeyValueStore):
    """The store in the collection that `config` names; used from one event loop. The first call connects.

    clock: seconds since the epoch.
    """

    def __init__(self, config: MongoKeyValueConfig, *, clock: Callable[[], float] = wall_time) -> None:
        self._collection = Collection(config)
        self._clock = clock
        self._turns: dict[str, _Turn] = {}
        self._pending = 0
        self._is_idle = asyncio.Event()
        self._closed = False

    async def get(self, key: str) -> bytes | None:
        check_keys(key)
        async with self._at_work():
            found = await self._find(key)
        return None if found is None else bytes(found["value"])

    async def entries(self, prefix: str, *, after: str | None = None, limit: int | None = None) -> list[KeyValue]:
        if limit == 0:
            self._check_open()
            return []
        bounds: Document = {"$gte": prefix} if after is None or after < prefix else {"$gt": after}
        if (end := _after_all_with(prefix)) is not None:
            bounds["$lt"] = end
        query = {"_id": bounds, **self._live()}
        async with self._at_work():
            found = await self._collection.ask(
                "read", lambda documents: documents.find(query).sort("_id", 1).limit(limit or 0).to_list()
            )
        return [entry_of(one) for one in found]

    async def write(self, *changes: Change, expected: Mapping[str, bytes | None] | None = None) -> bool:
        checks = expected or {}
        check_keys(*checks, *(change.key for change in changes))
        last = {change.key: change for change in changes}  # of several changes of a key, the last one counts
        keys = {*checks, *last}
        if len(keys) > 1:
            async with self._at_work():
                return await self._write_together(last, checks)
        for key in keys:
            async with self._at_work(key):
                return await self._write_one(key, last.get(key), checks)
        self._check_open()
        return True

    async def delete(self, key: str) -> bool:
        check_keys(key)
        query = {"_id": key, **self._live()}
        async with self._at_work(key):
            done = await self._collection.ask("written", lambda documents: documents.delete_one(query))
        return done.deleted_count == 1

    async def close(self) -> None:
        self._closed = True
        while self._pending:
            self._is_idle.clear()
            await self._is_idle.wait()
        await self._collection.close()

    async def _write_one(self, key: str, change: Change | None, checks: Mapping[str, bytes | None]) -> bool:
        if key not in checks:
            assert change is not None
            await self._change({"_id": key}, change)
            return True
        if checks[key] is None and isinstance(change, Put):
            # A document that is there and has expired is replaced; a live one makes the insert a duplicate.
            return await self._change({"_id": key, EXPIRES_AT: {"$lte": self._now()}}, change)
        while True:
            found = await self._find(key)
            if (None if found is None else bytes(found["value"])) != checks[key]:
                return False
            if found is None or change is None:
                return True
            if await self._change({"_id": key, "revision": found["revision"]}, change, adds=False):
                return True

    async def _change(self, query: Document, change: Change, *, adds: bool = True) -> bool:
        """Change or remove the document that `query` finds, and return whether it did. adds: one, if none is found."""
        if isinstance(change, Remove):
            gone = await self._collection.ask("written", lambda documents: documents.delete_one(query))
            return gone.deleted_count == 1
        new = {"$set": self._document(change)}
        for attempt in range(2):
            try:
                done = await self._collection.ask(
                    "written", lambda documents: documents.update_one(query, new, upsert=adds)
                )
                return done.matched_count == 1 or done.upserted_id is not None
            except Duplicate:  # a live one, or somebody else has added one between its search and its insert
                if attempt or len(query) > 1:
                    return False
        return False

    async def _write_together(self, changes: Mapping[str, Change], checks: Mapping[str, bytes | None]) -> bool:
        if not await self._collection.has_transactions():
            raise NotSupported(
                f"{self._collection.place} changes only one key at a time: several together need a replica set",
                hint="start it with `--replSet`, one member is enough, or use another backend for this store",
            )

        async def work(documents: Any, session: Any) -> None:
            for key, value in sorted(checks.items()):
                found = await documents.find_one({"_id": key, **self._live()}, session=session)
                if (None if found is None else bytes(found["value"])) != value:
                    raise _NotAsExpectedError
                if key not in changes and found is not None:  # held, so that nobody changes it meanwhile
                    touched = {"$set": {"revision": new_id("")}}
                    await documents.update_one({"_id": key}, touched, session=session)
                elif key not in changes:
                    held = self._document(Put(key, b""))
                    await documents.update_one({"_id": key}, {"$set": held}, upsert=True, session=session)
                    await documents.delete_one({"_id": key}, session=session)
            for key, change in sorted(changes.items()):
                if isinstance(change, Put):
                    new = {"$set": self._document(change)}
                    await documents.update_one({"_id": key}, new, upsert=True, session=session)
                else:
                    await documents.delete_one({"_id": key}, session=session)

        while True:
            try:
                await self._collection.together(work)
                return True
            except _NotAsExpectedError:
                return False
            except Duplicate:  # somebody else has added one of the keys meanwhile
                continue

    async def _find(self, key: str) -> Document | None:
        query = {"_id": key, **self._live()}
        return await self._collection.ask("read", lambda documents: documents.find_one(query))

    def _document(self, change: Put) -> Document:
        end = change.end(self._clock())
        expires_at = None if end is None else datetime.fromtimestamp(end, UTC)
        return {"value": bytes(change.value), "revision": new_id(""), EXPIRES_AT: expires_at}

    def _live(self) -> Document:
        return {"$or": [{EXPIRES_AT: None}, {EXPIRES_AT: {"$gt": self._now()}}]}

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    @asynccontextmanager
    async def _at_work(self, key: str | None = None) -> AsyncIterator[None]:
        """Counts a call for `close`. key: whose changes are sent one after the other, in the order of the calls."""
        self._check_open()
        self._pending += 1
        try:
            if key is None:
                yield
                return
            turn = self._turns.setdefault(key, _Turn())
            turn.takers += 1
            try:
                async with turn.lock:
                    yield
            finally:
                turn.takers -= 1
                if not turn.takers:
                    del self._turns[key]
        finally:
            self._pending -= 1
            self._is_idle.set()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the key-value store is closed")


def open_mongodb(config: MongoKeyValueConfig, state_dir: Path) -> MongoKeyValueStore:
    """The store of a `kv_mongodb` backend, which is not asked yet."""
    return MongoKeyValueStore(config)


def entry_of(found: Document) -> KeyValue:
    """What is in a document as the driver gives it, whose dates have their zone."""
    end = found[EXPIRES_AT]
    return KeyValue(found["_id"], bytes(found["value"]), None if end is None else end.timestamp())


def _after_all_with(prefix: str) -> str | None:
    """The smallest text that is greater than all that begin with `prefix`; None if there is none."""
    shortened = prefix.rstrip(chr(_LAST_POINT))
    if not shortened:
        return None
    following = ord(shortened[-1]) + 1
    return shortened[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)
