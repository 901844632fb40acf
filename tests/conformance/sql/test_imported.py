"""What `storage import` writes: rows that are not there yet, and parts only of what is there."""

from __future__ import annotations

from runtime.admin.storage.lines import line_of
from runtime.admin.storage.targets import TableTarget
from runtime.storage.sql import Insert, Select, SqlStore
from runtime.storage.sql.backend import SqlBackend
from tests.conformance.sql.test_ageing import NOTES, OWNED

LINES = OWNED.table("lines")


def line(note: str, number: int) -> bytes:
    return line_of(LINES, {"note": note, "line": number, "made_at": 0, "owner": None, "owner_groups": None})


async def test_parts_of_what_is_not_there_are_left_out(backend: SqlBackend) -> None:
    store = SqlStore(lambda: backend, OWNED, "papers")
    await store.write(Insert(NOTES, {"id": "here", "ended_at": None}))
    await store.write(Insert(LINES, {"note": "here", "line": 1, "made_at": 5}))
    target = TableTarget({}, store, LINES, None)
    await target.take([line("here", 1), line("here", 2), line("nowhere", 1)])
    assert (target.added, target.different, target.left_out) == (1, 1, 1)
    rows = await store.select(Select(LINES, order=("line",)))
    assert [(row["note"], row["line"], row["made_at"]) for row in rows] == [("here", 1, 5), ("here", 2, 0)]
