"""What is SQLite's alone: rows that are written at once are one statement, unless one of them cannot be."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.errors import Unavailable
from runtime.storage.sql import Column, Insert, Schema, Select, SqlStore, Table, Totals
from runtime.storage.sql.sqlite import SqliteBackend

THINGS = Table(name="", columns=(Column("id", "text"), Column("size", "integer")), key=("id",), has_owners=False)
SCHEMA = Schema(name="things", tables=(THINGS,))


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    backend = SqliteBackend(tmp_path / "sql.db")
    opened = SqlStore(lambda: backend, SCHEMA, "things")
    await opened.open()
    yield opened
    await backend.close()


def rows(*sizes: int) -> list[Insert]:
    return [Insert(THINGS, {"id": f"{place}", "size": size}) for place, size in enumerate(sizes)]


async def test_a_row_with_what_sqlite_cannot_hold_fails_alone(store: SqlStore) -> None:
    inserts = rows(1, 2**63, 3)
    outcomes = await asyncio.gather(*(store.write(insert) for insert in inserts), return_exceptions=True)
    assert outcomes[0] == outcomes[2] == [1] and isinstance(outcomes[1], OverflowError)
    assert [row["size"] for row in await store.select(Select(THINGS, order=("id",)))] == [1, 3]


async def test_what_fails_for_all_is_told_to_each_and_over_when_it_is_over(store: SqlStore, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "sql.db", isolation_level=None)
    other.execute("ALTER TABLE things RENAME TO elsewhere")
    outcomes = await asyncio.gather(*(store.write(insert) for insert in rows(1, 2, 3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    other.execute("ALTER TABLE elsewhere RENAME TO things")
    other.close()
    assert await asyncio.gather(*(store.write(insert) for insert in rows(1, 2, 3))) == [[1]] * 3
    assert await store.totals(Totals(THINGS, sums=("size",))) == {"count": 3, "size": 6}


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 1000])
async def test_so_many_at_once_are_all_there(store: SqlStore, count: int) -> None:
    await asyncio.gather(*(store.write(insert) for insert in rows(*range(count))))
    assert await store.totals(Totals(THINGS, sums=("size",))) == {"count": count, "size": sum(range(count))}
