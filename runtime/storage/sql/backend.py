"""What a database does for stores: `sqlite.py` and `postgres.py` implement it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from runtime.storage.sql.dialects import Dialect
from runtime.storage.sql.migrations import Copy
from runtime.storage.sql.tables import Schema


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement in the database's own words. expect: how many rows it must change, None for any number. adds_one:
    whether it is an insert that changes exactly one row, or fails.
    """

    sql: str
    values: Sequence[Any]
    expect: int | None = None
    adds_one: bool = False


class SqlBackend(Protocol):
    """One database. Each call raises Unavailable with the reason while it cannot be used; it works again by itself."""

    @property
    def dialect(self) -> Dialect: ...

    async def prepare(self, schema: Schema, name: str) -> None:
        """Make the tables of a store, or migrate them. name: of its first table.

        Raises Unavailable if they were written by a newer version.
        """
        ...

    async def write(self, statements: Sequence[Compiled]) -> list[int]:
        """Do all of them or none; returns how many rows each changed, once they are permanent.

        Raises Duplicate or Stale, which undo all of them. A caller that is cancelled takes nothing back.
        """
        ...

    def with_queue(self, *, writers: int | None, max_waiting: int | None) -> SqlBackend:
        """The same database, with a queue of its own for one store's writes where the database can have several.

        writers: transactions at once; max_waiting: writes that may be pending before further callers wait; None for the
        database's own choice. It is closed with the one that it was made of.
        """
        ...

    async def read(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The rows of a query, which sees every write that has returned."""
        ...

    async def read_each(self, queries: Sequence[tuple[str, Sequence[Any]]]) -> Sequence[Sequence[Sequence[Any]]]:
        """The rows of several queries, as `read` has them."""
        ...

    async def copies(self) -> list[Copy]:
        """The copies from before migrations, the newest first."""
        ...

    async def restore(self, copy: Copy) -> None:
        """Go back to a copy, which is gone afterwards. What was written since then is lost. No server may use the
        database meanwhile.
        """
        ...

    async def compact(self) -> int:
        """Give the disk what deleted rows have left, where the database does not do so by itself; others wait
        meanwhile. Returns the bytes that are free then.
        """
        ...

    async def close(self) -> None:
        """Finish pending work and release the database. A second call does nothing."""
        ...
