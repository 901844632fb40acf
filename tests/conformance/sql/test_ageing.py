"""What is too old goes, in every database: in small pieces, and what is still needed stays."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.storage.sql import Column, Insert, Schema, Select, SqlStore, Table
from runtime.storage.sql import ageing as ageing_module
from runtime.storage.sql.ageing import remove_older
from runtime.storage.sql.backend import SqlBackend

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


def test_a_table_that_ages_has_an_index_for_it() -> None:
    for table in SCHEMA.tables:
        assert [index.columns for index in table.indexes] == [(table.aged_by,)]
