"""Tables as data: what a store keeps, from which each database's own statements are made.

A store declares a `Schema`: its tables as they are now, and the migrations that led there. Only types and features that
SQLite (3.35 and newer) and PostgreSQL (12 and newer) share are used, so that one text of SQL serves both; the few words
that differ are in `dialects.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["text", "integer", "real", "bytes", "json"]
OWNER, OWNER_GROUPS = "owner", "owner_groups"


@dataclass(frozen=True)
class Column:
    """kind: `text` has no U+0000 and is ordered by code points; `integer` has 64 bits and also stands for true and
    false; `json` takes and gives what JSON has, as Python values. default: for rows that were there before the column,
    as SQL.
    """

    name: str
    kind: Kind
    nullable: bool = False
    default: str | None = None


@dataclass(frozen=True)
class Index:
    columns: tuple[str, ...]
    unique: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of a store.

    name: its part of the name in the database; empty for the store's first table, which has the store's own name.
    key: the columns that identify a row. has_owners: whether its rows belong to users; then it has two more columns,
    and a handle for a user sees that user's part only.
    holds: the kind of its rows, as the store's declaration (`Store.kinds`), retention and `storage prune` call them;
    empty for rows that are part of something else. aged_by: the column with the seconds since 1970 from which a row's
    age counts, null for a row that is still needed; it has an index. None for rows that cannot be deleted by age.
    pruned: how a row that is too old goes: `delete` it, or set `expires_at` where something outside the database has
    to go with it.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[Index, ...] = ()
    has_owners: bool = True
    holds: str = ""
    aged_by: str | None = None
    pruned: Literal["delete", "expire"] = "delete"
    kinds: dict[str, Kind] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        owners = (Column(OWNER, "text", nullable=True), Column(OWNER_GROUPS, "text", nullable=True))
        # First, since SQLite reads all of a large value to find what lies behind it.
        columns = (*owners, *self.columns) if self.has_owners else self.columns
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "kinds", {column.name: column.kind for column in columns})
        if self.aged_by is not None and all(index.columns[0] != self.aged_by for index in self.indexes):
            object.__setattr__(self, "indexes", (*self.indexes, Index((self.aged_by,))))
        unknown = {*self.key, *(name for index in self.indexes for name in index.columns)} - self.kinds.keys()
        if unknown:
            raise ValueError(f"the table `{self.name}` has no column {sorted(unknown)}")

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True)
class AddColumn:
    """A column that its table did not have; it is nullable or has a default."""

    table: str
    column: Column


@dataclass(frozen=True)
class AddTable:
    table: Table


@dataclass(frozen=True)
class AddIndex:
    table: str
    index: Index


@dataclass(frozen=True)
class Run:
    """A statement in SQL that SQLite and PostgreSQL share, with `{name}` for a table and `{}` for the first one."""

    sql: str


Step = AddColumn | AddTable | AddIndex | Run


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What a store keeps. name: the store's. tables: as they are now; the first is the store's own.

    migrations: one tuple of steps a version, from version 1 on: the schema's version is one more than there are.
    """

    name: str
    tables: tuple[Table, ...]
    migrations: tuple[tuple[Step, ...], ...] = ()

    @property
    def version(self) -> int:
        return 1 + len(self.migrations)

    def table(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)
