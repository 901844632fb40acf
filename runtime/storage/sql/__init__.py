"""Tables of a store, in SQLite or PostgreSQL: what an API or a provider uses to keep rows.

    completions = context.storage.sql("inference", SCHEMA)      # once, in a constructor
    rows = completions.for_user(current().user)
    await rows.write(Insert(COMPLETIONS, {...}))                # on disk when it returns
    await rows.select(Select(COMPLETIONS, eq("id", wanted)))

Statements are data (`statements.py`), conditions too (`conditions.py`); `paging.py` reads lists page by page.
"""

from __future__ import annotations

from runtime.storage.sql.conditions import (
    ALL,
    Condition,
    above,
    at_most,
    below,
    contains,
    either,
    eq,
    every,
    has_entries,
    one_of,
    owner_of,
)
from runtime.storage.sql.failures import Duplicate, Stale
from runtime.storage.sql.statements import SIZE, Delete, Groups, Insert, Select, Statement, Totals, Update
from runtime.storage.sql.store import Row, SqlStore
from runtime.storage.sql.tables import (
    AddColumn,
    AddEntries,
    AddIndex,
    AddTable,
    Column,
    DropColumn,
    DropIndex,
    Index,
    PartOf,
    Run,
    Schema,
    Table,
    add_indexes,
)
from runtime.storage.sql.walks import Walk

__all__ = [
    "ALL",
    "SIZE",
    "AddColumn",
    "AddEntries",
    "AddIndex",
    "AddTable",
    "Column",
    "Condition",
    "Delete",
    "DropColumn",
    "DropIndex",
    "Duplicate",
    "Groups",
    "Index",
    "Insert",
    "Row",
    "PartOf",
    "Run",
    "Schema",
    "Select",
    "SqlStore",
    "Stale",
    "Statement",
    "Table",
    "Totals",
    "Update",
    "Walk",
    "above",
    "add_indexes",
    "at_most",
    "below",
    "contains",
    "either",
    "eq",
    "every",
    "has_entries",
    "one_of",
    "owner_of",
]
