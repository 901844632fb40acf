"""What is too old goes, in every database: in small pieces, and what is still needed stays."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from runtime.access import SYSTEM
from runtime.storage.sql import (
    Column,
    Delete,
    Insert,
    PartOf,
    Schema,
    Select,
    SqlStore,
    Stale,
    Table,
    Update,
    eq,
)
from runtime.storage.sql import ageing as ageing_module
from runtime.storage.sql.ageing import older_than, remove_older
from runtime.storage.sql.backend import SqlBackend
from runtime.storage.sql.described import described_stores
from runtime.storage.sql.measuring import measure, measure_whole

NOTES = Table(
    name="",
    columns=(Column("id", "text"), Column("ended_at", "real", nullable=True)),
    key=("id",),
    holds="notes",
    aged_by="ended_at",
)
LINES = Table(
    name="lines",
    columns=(Column("note", "text"), Column("line", "integer"), Column("made_at", "integer")),
    key=("note", "line"),
    aged_by="made_at",
)
SCANS = Table(
    name="scans",
    columns=(Column("id", "text"), Column("made_at", "integer"), Column("expires_at", "integer", nullable=True)),
    key=("id",),
    holds="scans",
    aged_by="made_at",
    pruned="expire",
)
SCHEMA = Schema(name="notes", tables=(NOTES, LINES, SCANS))
WORDS = Table(
    name="words",
    columns=(Column("note", "text"), Column("line", "integer"), Column("word", "text")),
    key=("note", "line", "word"),
    part_of=PartOf("lines", ("note", "line")),
)
OWNED = Schema(
    name="papers",
    tables=(
        NOTES,
        Table(name="lines", columns=LINES.columns[2:], key=LINES.key, part_of=PartOf("", ("note",))),
        WORDS,
        Table(
            name="scans",
            columns=(*SCANS.columns[2:], Column("note", "text"), Column("size_bytes", "integer")),
            key=("id",),
            part_of=PartOf("", ("note",)),
            pruned="expire",
        ),
    ),
)
NOW = 10_000.0


@pytest.fixture
def store(backend: SqlBackend, monkeypatch: pytest.MonkeyPatch) -> SqlStore:
    monkeypatch.setattr(ageing_module, "AT_ONCE", 2)
    return SqlStore(lambda: backend, SCHEMA, "notes")


async def left(store: SqlStore, table: Table, **columns: Any) -> list[Any]:
    rows = await store.select(Select(table, order=table.key))
    return [tuple(row[name] for name in (*table.key, *columns)) for row in rows]


async def removed(store: SqlStore, table: Table, before: float) -> list[int]:
    return [count async for count in remove_older(store, table, before, NOW)]


async def test_the_oldest_go_first_and_few_at_once(store: SqlStore) -> None:
    for number in range(5):
        await store.write(Insert(NOTES, {"id": f"n{number}", "ended_at": 100.5 - number}))
    await store.write(Insert(NOTES, {"id": "needed", "ended_at": None}), Insert(NOTES, {"id": "new", "ended_at": 200}))
    counts = remove_older(store, NOTES, 100.5, NOW)
    assert await anext(counts) == 2
    assert await left(store, NOTES) == [("n0",), ("n1",), ("n2",), ("needed",), ("new",)]
    assert [count async for count in counts] == [2]
    assert await left(store, NOTES) == [("n0",), ("needed",), ("new",)]
    assert await removed(store, NOTES, 100.5) == []


async def test_rows_with_keys_of_several_columns_go_too(store: SqlStore) -> None:
    for line in range(3):
        await store.write(Insert(LINES, {"note": "a", "line": line, "made_at": line}))
    await store.write(Insert(LINES, {"note": "b", "line": 0, "made_at": 50}))
    assert await removed(store, LINES, 49.9) == [2, 1]
    assert await left(store, LINES) == [("b", 0)]


async def test_what_is_elsewhere_too_is_marked_once_for_whoever_removes_both(store: SqlStore) -> None:
    for name, expires_at in (("old", None), ("old too", 20_000), ("gone", 9_000)):
        await store.write(Insert(SCANS, {"id": name, "made_at": 5, "expires_at": expires_at}))
    assert await removed(store, SCANS, 6) == [2]
    rows = {row["id"]: row["expires_at"] for row in await store.select(Select(SCANS))}
    assert rows == {"old": 0, "old too": 0, "gone": 9_000}
    assert await removed(store, SCANS, 6) == []


@pytest_asyncio.fixture
async def papers(backend: SqlBackend, monkeypatch: pytest.MonkeyPatch) -> SqlStore:
    """Two notes, `old` and `new`, each with a line of two words and a scan."""
    monkeypatch.setattr(ageing_module, "AT_ONCE", 2)
    store = SqlStore(lambda: backend, OWNED, "papers")
    for name, ended_at in (("old", 10.0), ("new", 100.0)):
        await store.write(
            Insert(NOTES, {"id": name, "ended_at": ended_at}),
            Insert(OWNED.table("lines"), {"note": name, "line": 1, "made_at": 0}),
            *(Insert(WORDS, {"note": name, "line": 1, "word": word}) for word in ("a", "b")),
            Insert(OWNED.table("scans"), {"id": f"scan-{name}", "made_at": 0, "note": name, "size_bytes": 1000}),
        )
    return store


async def test_parts_go_with_what_they_belong_to(papers: SqlStore) -> None:
    [described] = await described_stores(await papers.open())
    measured = await measure_whole(described, described.schema.tables[0], older_than(NOTES, 50, NOW), now=NOW)
    assert (measured.count, measured.outside_bytes) == (1, 1000)
    alone = await measure(described, described.schema.tables[0], older_than(NOTES, 50, NOW), now=NOW)
    assert measured.size_bytes > alone.size_bytes
    assert [count async for count in remove_older(described, described.schema.tables[0], 50, NOW)] == [1]
    assert await left(papers, NOTES) == [("new",)]
    assert await left(papers, OWNED.table("lines")) == [("new", 1)]
    assert await left(papers, WORDS) == [("new", 1, "a"), ("new", 1, "b")]
    scans = await papers.select(Select(OWNED.table("scans"), order=("id",)))
    assert [(row["id"], row["expires_at"]) for row in scans] == [("scan-new", None), ("scan-old", 0)]


async def test_parts_go_in_the_transaction_of_their_owner(papers: SqlStore) -> None:
    lines = OWNED.table("lines")
    with pytest.raises(Stale):
        await papers.write(
            Delete(NOTES, eq("id", "old")), Update(NOTES, {"ended_at": 1.0}, eq("id", "nobody"), expect=1)
        )
    assert await left(papers, lines) == [("new", 1), ("old", 1)]
    await papers.for_user(SYSTEM).write(Delete(NOTES, eq("id", "old")))
    assert (await left(papers, lines), len(await left(papers, WORDS))) == ([("new", 1)], 2)


async def test_a_part_of_what_is_not_there_fails_alone(papers: SqlStore) -> None:
    lines = OWNED.table("lines")

    def line(note: str, number: int) -> Insert:
        return Insert(lines, {"note": note, "line": number, "made_at": 0})

    added = [papers.write(line("new", 2)), papers.write(line("nobody", 2))]
    both = papers.write(Insert(NOTES, {"id": "third", "ended_at": None}), line("third", 2))
    first, second, third = await asyncio.gather(*added, both, return_exceptions=True)
    assert (first, isinstance(second, Stale), third) == ([1], True, [1, 1])
    assert await left(papers, lines) == [("new", 1), ("new", 2), ("old", 1), ("third", 2)]


def test_a_part_has_an_owner_before_it_in_its_schema() -> None:
    for owner in (PartOf("later", ("note",)), PartOf("", ("note", "line"))):
        lines = Table(name="lines", columns=LINES.columns[2:], key=LINES.key, part_of=owner)
        with pytest.raises(ValueError, match="`lines` is part of no table before it"):
            Schema(name="notes", tables=(NOTES, lines, Table(name="later", columns=NOTES.columns[2:], key=("id",))))


def test_a_part_is_found_by_its_owner_without_reading_all() -> None:
    indexes = {table.name: [index.columns for index in table.indexes] for table in OWNED.tables}
    assert indexes == {"": [("ended_at",)], "lines": [], "words": [], "scans": [("note",)]}


def test_a_table_that_ages_has_an_index_for_it() -> None:
    for table in SCHEMA.tables:
        assert [index.columns for index in table.indexes] == [(table.aged_by,)]
