"""Whoever knows no store reads, measures and takes back what a database has, by what it says of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.storage.sql import (
    ALL,
    AddColumn,
    AddIndex,
    Column,
    Delete,
    Index,
    Insert,
    Schema,
    Select,
    SqlStore,
    Table,
    below,
)
from runtime.storage.sql.backend import SqlBackend
from runtime.storage.sql.described import described_stores
from runtime.storage.sql.measuring import measure
from runtime.storage.sql.tables import Step
from tests.conformance.conftest import Open

FACTS = (
    Column("id", "text"),
    Column("made_at", "integer"),
    Column("body", "bytes", nullable=True),
    Column("facts", "json", nullable=True),
)
NOTES = Table(name="", columns=FACTS, key=("id",), holds="notes", aged_by="made_at")
SCANS = Table(
    name="scans",
    columns=(*FACTS, Column("size_bytes", "integer"), Column("expires_at", "integer", nullable=True)),
    key=("id",),
    holds="scans",
    aged_by="made_at",
    pruned="expire",
)
SCHEMA = Schema(name="papers", tables=(NOTES, SCANS))
ROW = {"body": b"\xff" * 1000, "facts": {"é": "x"}}


async def with_rows(backend: SqlBackend) -> SqlStore:
    store = SqlStore(lambda: backend, SCHEMA, "my_papers")
    for number in range(1, 4):
        await store.write(Insert(NOTES, {"id": f"n{number}", "made_at": number * 10, **ROW}))
    scan = {"made_at": 7, "size_bytes": 5000, **ROW}
    for name, expires_at in (("kept", None), ("expires", 200), ("expired", 100)):
        await store.write(Insert(SCANS, {"id": name, "expires_at": expires_at, **scan}))
    return store


async def test_a_database_with_nothing_in_it_has_no_stores(backend: SqlBackend) -> None:
    assert await described_stores(backend) == []


async def test_stores_are_found_with_all_that_is_in_them(backend: SqlBackend) -> None:
    await with_rows(backend)
    [found] = await described_stores(backend)
    assert (found.name, found.schema.name, found.schema.version) == ("my_papers", "papers", 1)
    assert [(table.name, table.holds, table.pruned) for table in found.schema.tables] == [
        ("", "notes", "delete"),
        ("scans", "scans", "expire"),
    ]
    row = await found.first(Select(found.schema.tables[0], order=("id",)))
    assert row == {"id": "n1", "made_at": 10, **ROW, "owner": None, "owner_groups": None}


async def test_tables_of_a_store_s_own_processes_are_nobody_else_s(backend: SqlBackend) -> None:
    inner = Table(name="inner", columns=(Column("id", "text"),), key=("id",), has_owners=False, is_inner=True)
    await SqlStore(lambda: backend, Schema(name="papers", tables=(NOTES, inner)), "my_papers").open()
    [found] = await described_stores(backend)
    assert [table.name for table in found.schema.tables] == [""]


@pytest.mark.parametrize(
    ("first", "since"),
    [(AddColumn("", Column("more", "text", nullable=True)), 2), (AddIndex("", Index(("made_at", "id"))), 1)],
)
async def test_it_is_known_since_when_rows_are_what_they_are(open_backend: Open, first: Step, since: int) -> None:
    await with_rows(open_backend())
    backend = open_backend()
    later = replace(SCHEMA, migrations=((first,), (AddIndex("", Index(("id", "made_at"))),)))
    await SqlStore(lambda: backend, later, "my_papers").open()
    [found] = await described_stores(backend)
    assert (found.schema.version, found.schema.rows_version) == (3, since)


async def test_what_there_is_is_measured(backend: SqlBackend) -> None:
    await with_rows(backend)
    [found] = await described_stores(backend)
    notes, scans = found.schema.tables
    measured = await measure(found, notes, ALL, now=150)
    assert (measured.count, measured.oldest, measured.newest, measured.outside_bytes) == (3, 10.0, 30.0, 0)
    assert measured.size_bytes == 3 * (2 + 8 + 1000 + len('{"é":"x"}'.encode()))
    assert (await measure(found, notes, below("made_at", 25), now=150)).count == 2
    kept = await measure(found, scans, ALL, now=150)
    assert (kept.count, kept.outside_bytes) == (2, 10_000)
    none = await measure(found, notes, below("made_at", 0), now=150)
    assert (none.count, none.size_bytes, none.oldest) == (0, 0, None)


async def test_a_copy_is_listed_and_taken_back_once(open_backend: Open, caplog: pytest.LogCaptureFixture) -> None:
    first = open_backend()
    await with_rows(first)
    assert await first.copies() == []
    new = Column("more", "text", nullable=True)
    notes = Table(name="", columns=(*FACTS, new), key=("id",), holds="notes", aged_by="made_at")
    newer = Schema(name="papers", tables=(notes, SCANS), migrations=((AddColumn("", new),),))
    store = SqlStore(lambda: first, newer, "my_papers")
    await store.write(Insert(notes, {"id": "later", "made_at": 1}))
    [copy] = await first.copies()
    assert copy.name.startswith("before_papers_2_")
    await first.restore(copy)
    assert await first.copies() == []
    await first.close()

    again = open_backend()
    back = SqlStore(lambda: again, SCHEMA, "my_papers")
    assert [row["id"] for row in await back.select(Select(NOTES, order=("id",)))] == ["n1", "n2", "n3"]


async def test_what_rows_have_left_is_given_back(backend: SqlBackend) -> None:
    store = await with_rows(backend)
    await store.write(*[Insert(NOTES, {"id": f"x{number}", "made_at": 1, **ROW}) for number in range(200)])
    await store.write(Delete(NOTES, below("made_at", 5)))
    freed = await backend.compact()
    assert freed > 100_000 if not backend.dialect.numbered else freed == 0
    assert (await measure(store, NOTES, ALL, now=0)).count == 3
