"""The entries of a JSON column in a table of their own, so that rows are found by them: `metadata[key]=value`.

    notes                                      notes_entries, kept by triggers of the database, whoever writes
    id  position  owner  metadata              entry_name  entry_value  entry_position  entry_id  entry_owner
    n1  17        ann    {"kind": "draft"}     kind        draft        17              n1        ann

Only rows that have something in the column cost more. Long names and values are cut, since PostgreSQL has no long keys;
so what is found here is compared once more, with the column (`conditions.has_entries`). The rows are in the order of
`position`, which is why the table is a paged one (`paging.py`) whose rows never change their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from runtime.storage.sql.conditions import Condition, every
from runtime.storage.sql.dialects import Dialect, quoted
from runtime.storage.sql.tables import OWNER, Column, Index, Table

_NAME_MOST, _VALUE_MOST = 64, 256
_NAME, _VALUE, _OWNER = "entry_name", "entry_value", "entry_owner"
_PLACE = ("entry_position", "entry_id")
_KEY = f"{_NAME}, {_VALUE}, {', '.join(_PLACE)}"
_ENTRY = f"substr(entry.key, 1, {_NAME_MOST}), substr(entry.value, 1, {_VALUE_MOST})"
_WRITTEN = "WHERE entry.value IS NOT NULL"
ENTRIES = Table(
    name="entries",
    columns=(
        Column(_NAME, "text"),
        Column(_VALUE, "text"),
        Column("entry_position", "integer"),
        Column("entry_id", "text"),
        Column(_OWNER, "text", nullable=True),
    ),
    key=(_NAME, _VALUE, *_PLACE),
    indexes=(Index((_OWNER, _NAME, _VALUE, *_PLACE)),),
    has_owners=False,
)


def entries_name(name: str) -> str:
    """The table of the entries of the table `name`, in the database."""
    return f"{name}_{ENTRIES.name}"


def make_entries(dialect: Dialect, name: str, column: str, *, has_owners: bool) -> list[str]:
    """The statements that make the table of the entries of a column, with those of the rows that are there, and what
    keeps it. name: of the rows' table.
    """
    own = entries_name(name)
    made, *indexes = dialect.create(own, ENTRIES)
    add = partial(_add, own, has_owners=has_owners)
    entries = partial(_entries, dialect, column)
    gone = f"SELECT {_ENTRY} FROM {entries('OLD')} {_WRITTEN}"  # noqa: S608  # ours
    here = f"entry_position = OLD.position AND entry_id = OLD.id AND ({_NAME}, {_VALUE}) IN ({gone})"
    added = f"{add('NEW', entries('NEW'))};"
    removed = f"DELETE FROM {quoted(own)} WHERE {here};"  # noqa: S608  # ours
    return [
        f"{made}{dialect.by_key}",
        *indexes,
        add("kept", f"{quoted(name)} AS kept, {entries('kept')}"),
        *_trigger(dialect, name, "added", "INSERT", f"NEW.{column} IS NOT NULL", added),
        *_trigger(dialect, name, "removed", "DELETE", f"OLD.{column} IS NOT NULL", removed),
        *_trigger(dialect, name, "changed", f"UPDATE OF {column}", "1 = 1", f"{removed} {added}"),
    ]


def found_by(name: str, entries: Sequence[tuple[str, str]]) -> tuple[str, Condition, Sequence[str], str]:
    """How rows of the table `name` are found by entries, the first of which leads to them: what follows FROM, the
    condition, the columns with a row's place in place of `position` and `id`, and the one with its owner.
    """
    table, own = quoted(name), quoted(entries_name(name))
    first, *others = [
        Condition(f"{_NAME} = ? AND {_VALUE} = ?", (_beginning(key, _NAME_MOST), _beginning(value, _VALUE_MOST)))
        for key, value in entries
    ]
    are_there = (
        Condition(f"EXISTS (SELECT 1 FROM {own} WHERE {other.sql})", other.values)  # noqa: S608  # ours
        for other in others
    )
    return f"{own} CROSS JOIN {table}", every([first, Condition(f"{table}.id = entry_id"), *are_there]), _PLACE, _OWNER


def _beginning(text: str, most: int) -> str:
    """What `substr` makes of it. In SQLite, U+0000 ends a text there."""
    return text.partition("\0")[0][:most]


def _trigger(dialect: Dialect, name: str, what: str, event: str, when: str, body: str) -> list[str]:
    own = quoted(f"{entries_name(name)}_{what}")
    return [sql.format(name=own, table=quoted(name), event=event, when=when, body=body) for sql in dialect.trigger]


def _entries(dialect: Dialect, column: str, row: str) -> str:
    """The entries of a row, as a table with `key` and `value`."""
    return f"{dialect.entries.format(f'{row}.{column}')} AS entry"


def _add(own: str, row: str, rows: str, *, has_owners: bool) -> str:
    owner = f"{row}.{OWNER}" if has_owners else "NULL"
    found = f"SELECT DISTINCT {_ENTRY}, {row}.position, {row}.id, {owner} FROM {rows} {_WRITTEN}"  # noqa: S608  # ours
    return f"INSERT INTO {quoted(own)} ({_KEY}, {_OWNER}) {found}"  # ours
