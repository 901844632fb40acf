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


@dataclass(frozen=True)
class PartOf:
    """Whose part a row is. table: the part of its name, as `Table.name`; it stands before in the schema. columns: those
    with its key.
    """

    table: str
    columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of a store.

    name: its part of the name in the database; empty for the store's first table, which has the store's own name.
    key: the columns that identify a row. has_owners: whether its rows belong to users; then it has two more columns,
    and a handle for a user sees that user's part only.
    holds: the kind of its rows, as the store's declaration (`Store.kinds`), retention and `storage prune` call them;
    empty for rows that are part of something else. aged_by: the column with the seconds since 1970 from which a row's
    age counts, null for a row that is still needed; it has an index. None for rows that cannot be deleted by age.
    pruned: how a row that is too old goes: `delete` it, or set `expires_at` where something outside of the store has
    to go with it, for its provider to delete both.
    part_of: the row of another table that a row belongs to, as an item does to its conversation. Whatever removes that
    one removes this in the same transaction, and one whose owner is not there cannot be added: that is Stale. Where
    rows go by `expire`, `ageing` marks them instead, since the database would leave behind what is outside of the
    store.
    entries_of: the JSON column, of objects, by whose entries rows are found (`entries.py`).
    is_inner: whether its rows are of use to the processes of this store alone, so that nobody counts or exports them.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[Index, ...] = ()
    has_owners: bool = True
    holds: str = ""
    aged_by: str | None = None
    pruned: Literal["delete", "expire"] = "delete"
    part_of: PartOf | None = None
    entries_of: str | None = None
    is_inner: bool = False
    kinds: dict[str, Kind] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        owners = (Column(OWNER, "text", nullable=True), Column(OWNER_GROUPS, "text", nullable=True))
        # First, since SQLite reads all of a large value to find what lies behind it.
        columns = (*owners, *self.columns) if self.has_owners else self.columns
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "kinds", {column.name: column.kind for column in columns})
        for wanted in ((self.aged_by,) if self.aged_by else (), self.part_of.columns if self.part_of else ()):
            known = [self.key, *(index.columns for index in self.indexes)]
            if wanted and all(columns[: len(wanted)] != wanted for columns in known):
                object.__setattr__(self, "indexes", (*self.indexes, Index(wanted)))
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
class DropColumn:
    """A column that its table had, and that no index has any more."""

    table: str
    column: str


@dataclass(frozen=True)
class AddTable:
    table: Table


@dataclass(frozen=True)
class AddIndex:
    """An index, unless it is there."""

    table: str
    index: Index


@dataclass(frozen=True)
class DropIndex:
    """An index that its table had."""

    table: str
    index: Index


def add_indexes(*indexes: Index, table: str = "") -> tuple[AddIndex, ...]:
    """A step for each of them."""
    return tuple(AddIndex(table, index) for index in indexes)


@dataclass(frozen=True)
class AddEntries:
    """The entries of a table that has now `entries_of`."""

    table: str


@dataclass(frozen=True)
class Run:
    """A statement in SQL that SQLite and PostgreSQL share, with `{name}` for a table and `{}` for the first one."""

    sql: str


_OF_FINDING = (AddIndex, DropIndex, AddEntries)
Step = AddColumn | DropColumn | AddTable | AddIndex | DropIndex | AddEntries | Run


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What a store keeps. name: the store's. tables: as they are now; the first is the store's own.

    migrations: one tuple of steps a version, from version 1 on: the schema's version is one more than there are.
    """

    name: str
    tables: tuple[Table, ...]
    migrations: tuple[tuple[Step, ...], ...] = ()

    def __post_init__(self) -> None:
        for number, table in enumerate(self.tables):
            if table.part_of is not None:
                keys = [one.key for one in self.tables[:number] if one.name == table.part_of.table]
                if [len(key) for key in keys] != [len(table.part_of.columns)]:
                    raise ValueError(f"`{table.name}` is part of no table before it with as many columns in its key")

    @property
    def version(self) -> int:
        return 1 + len(self.migrations)

    @property
    def rows_version(self) -> int:
        """The version since which its rows are what they are now: later ones have changed only how they are found."""
        changing = [not all(isinstance(step, _OF_FINDING) for step in steps) for steps in self.migrations]
        return max((number for number, changes in enumerate(changing, start=2) if changes), default=1)

    def parts_of(self, table: Table) -> tuple[Table, ...]:
        """The tables whose rows belong to its rows."""
        return tuple(one for one in self.tables if one.part_of is not None and one.part_of.table == table.name)

    def table(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)
