"""The groups of an index as searches need them: in memory, and as new as the last change in the database.

Each change of what an index shows gets the next number of its version in the transaction that makes it; so a reader
that knows a version has only to read the groups that changed since. Another process may make changes too. An index that
is retired no longer changes: who works with it begins anew with the one that has taken its place.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.apis.vector_io.protocol import GROUP_BITS
from runtime.errors import Conflict
from runtime.providers.vector_stores.builtin.tables import GROUPS, INDEXES, GroupState
from runtime.storage import sql
from runtime.turns import Turns

_MAX_KEPT = 256
"""Indexes whose groups are kept in memory."""
_MAX_TRIES = 100
IN_USE = sql.Condition("state <> ?", ("retired",))


class Retired(Exception):
    """Another index has taken the place of the one that was worked with, or its store is gone."""


@dataclass(frozen=True, slots=True)
class Group:
    """A file or a document of an index. size: how many chunks it was written with, which have its first numbers. gone:
    which of them are no longer there, counted from 0.
    """

    number: int
    source: str
    filename: str
    attributes: Mapping[str, Any]
    size: int
    gone: frozenset[int]

    @classmethod
    def of(cls, row: sql.Row) -> Group:
        gone = frozenset(row["gone"])
        return cls(row["number"], row["source"], row["filename"], row["attributes"], row["chunks"], gone)

    @property
    def chunks(self) -> int:
        return self.size - len(self.gone)

    def has(self, number: int) -> bool:
        """Whether a chunk with a number of this group is there."""
        return number - (self.number << GROUP_BITS) not in self.gone

    def numbers(self) -> list[int]:
        """Of its chunks."""
        first = self.number << GROUP_BITS
        return [first + ordinal for ordinal in range(self.size) if ordinal not in self.gone]


@dataclass(kw_only=True)
class VectorIndex:
    """What an index is, and its live groups by number. chunks: how many all of them have; gone: how many they had
    besides, whose vectors are still there.
    """

    number: int
    store_id: str
    provider_id: str
    collection: str
    embedding_model: str
    embedding_source: str
    dimension: int
    chunking: Mapping[str, Any] | None
    version: int = -1
    groups: dict[int, Group] = field(default_factory=dict)
    chunks: int = 0
    gone: int = 0

    def take(self, row: sql.Row) -> None:
        """Know a group as it is now."""
        if (known := self.groups.pop(row["number"], None)) is not None:
            self.chunks -= known.chunks
            self.gone -= len(known.gone)
        if row["state"] == "live":
            group = Group.of(row)
            self.groups[group.number] = group
            self.chunks += group.chunks
            self.gone += len(group.gone)


class Indexes:
    """The indexes of one store of tables. rows: all users' rows."""

    def __init__(self, rows: sql.SqlStore) -> None:
        self._rows = rows
        self._kept: OrderedDict[int, VectorIndex] = OrderedDict()
        self._turns = Turns()

    async def get(self, number: int) -> VectorIndex | None:
        """An index with the groups that are live now; None if it is not there. Raises Unavailable."""
        row = await self._rows.first(sql.Select(INDEXES, sql.eq("number", number)))
        if row is None:
            self._kept.pop(number, None)
            return None
        return await self.known(row)

    async def known(self, row: sql.Row) -> VectorIndex:
        """The index of a row that was just read, with the groups that are live now. Raises Unavailable."""
        number = row["number"]
        index = self._kept.get(number)
        if index is None or index.version < row["floor"]:
            index = index_of(row)
        if index.version != row["version"]:
            changed = sql.eq("index_number", number) & sql.above("changed", index.version)
            groups = await self._rows.select(sql.Select(GROUPS, changed))
            if index.version < row["version"]:  # another reader may have been faster
                for group in groups:
                    index.take(group)
                index.version = row["version"]
        self._kept[number] = index
        self._kept.move_to_end(number)
        if len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)
        return index

    async def is_retired(self, number: int) -> bool:
        """Whether an index serves no more, since another one does or its store is gone. Raises Unavailable."""
        return await self._rows.first(sql.Select(INDEXES, sql.eq("number", number) & IN_USE, ("number",))) is None

    async def change(self, number: int, statements: Callable[[int], Awaitable[Sequence[sql.Statement]]]) -> None:
        """Change what an index shows, in one transaction. statements: what to do, given the version from which the
        groups that change are so; called again if somebody else has changed the index since it was called.

        Those of one process wait for each other, since all but one would try in vain.

        Raises Stale if the statements do, or if the index is retired; Conflict if others change it all the time;
        Unavailable.
        """
        async with self._turns.of(number):
            await self._change(number, statements)

    async def _change(self, number: int, statements: Callable[[int], Awaitable[Sequence[sql.Statement]]]) -> None:
        used = sql.eq("number", number) & IN_USE
        for _ in range(_MAX_TRIES):
            row = await self._rows.first(sql.Select(INDEXES, used, ("version",)))
            if row is None:
                raise sql.Stale(f"the index {number} is retired")
            known, version = row["version"], row["version"] + 1
            step = sql.Update(INDEXES, {"version": version}, used & sql.eq("version", known), expect=1)
            try:
                await self._rows.write(step, *await statements(version))
                return
            except sql.Stale:
                now = await self._rows.first(sql.Select(INDEXES, used, ("version",)))
                if now is not None and now["version"] == known:  # so it was not the step
                    raise
        raise Conflict("The vector store is changed by too many at once", hint="try again")


def index_of(row: sql.Row) -> VectorIndex:
    """An index of which no group is known yet."""
    fields = ("number", "store_id", "provider_id", "collection", "embedding_model", "embedding_source", "dimension")
    return VectorIndex(**{name: row[name] for name in (*fields, "chunking")})


def set_state(number: int, groups: Iterable[int], state: GroupState, version: int) -> list[sql.Statement]:
    """The statements that put groups of an index into another state."""
    values = {"state": state, "changed": version}
    return [
        sql.Update(GROUPS, values, sql.eq("index_number", number) & sql.eq("number", group), expect=1)
        for group in groups
    ]
