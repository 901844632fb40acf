"""What every database promises to the stores in it (`runtime/storage/sql`), run on each that there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.access import User
from runtime.apis._paging import PageRequest
from runtime.errors import RequestError
from runtime.ids import new_position, ordered_id
from runtime.storage.sql import (
    Column,
    Delete,
    Duplicate,
    Index,
    Insert,
    Schema,
    Select,
    SqlStore,
    Stale,
    Table,
    Totals,
    Update,
    below,
    contains,
    eq,
    has_entries,
    one_of,
)
from runtime.storage.sql.paging import BY_POSITION, read_page
from runtime.storage.sql.sqlite import SqliteBackend

NOTES = Table(
    name="",
    columns=(
        Column("id", "text"),
        Column("position", "integer"),
        Column("size", "integer"),
        Column("ratio", "real", nullable=True),
        Column("body", "bytes", nullable=True),
        Column("metadata", "json", nullable=True),
    ),
    key=("id",),
    indexes=(BY_POSITION,),
)
TAGS = Table(
    name="tags",
    columns=(Column("note_id", "text"), Column("tag", "text")),
    key=("note_id", "tag"),
    indexes=(Index(("tag",), unique=True),),
    has_owners=False,
)
SCHEMA = Schema(name="notes", tables=(NOTES, TAGS))


def note(**values: Any) -> dict[str, Any]:
    position = new_position()
    return {"id": ordered_id("note_", position), "position": position, "size": 1} | values


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    backend = SqliteBackend(tmp_path / "sql.db")
    yield SqlStore(lambda: backend, SCHEMA, "notes")
    await backend.close()


async def test_every_kind_of_value_is_read_back(store: SqlStore) -> None:
    row = note(id="ключ 😀", size=2**62, ratio=0.1, body=b"\x00\xff" * 500_000, metadata={"a": [1, None, "é", "\0"]})
    assert await store.write(Insert(NOTES, row)) == [1]
    assert await store.first(Select(NOTES, eq("id", row["id"]))) == row | {"owner": None, "owner_groups": None}


async def test_a_write_is_done_whole_or_not_at_all(store: SqlStore) -> None:
    first, second = note(), note()
    with pytest.raises(Duplicate):
        await store.write(Insert(NOTES, first), Insert(NOTES, second), Insert(NOTES, first))
    with pytest.raises(Stale):
        await store.write(Insert(NOTES, first), Update(NOTES, {"size": 2}, eq("id", "nobody"), expect=1))
    assert await store.totals(Totals(NOTES, sums=("size",))) == {"count": 0, "size": 0}


async def test_conditions(store: SqlStore) -> None:
    rows = [note(size=size, metadata={"kind": f"k{size}", 'odd " key': "x"}) for size in range(5)]
    await store.write(*(Insert(NOTES, row) for row in rows))

    async def sizes(where: Any) -> list[int]:
        return [row["size"] for row in await store.select(Select(NOTES, where, ("size",), ("size",)))]

    assert await sizes(below("size", 2)) == [0, 1]
    assert await sizes(one_of("size", [4, 2, 9])) == [2, 4]
    assert await sizes(one_of("size", [])) == []
    assert await sizes(has_entries("metadata", {"kind": "k3", 'odd " key': "x"})) == [3]
    assert await sizes(contains("id", "NOTE_")) == []
    assert await sizes(eq("ratio", None) & (eq("size", 1) | eq("size", 2))) == [1, 2]


async def test_update_delete_and_upsert(store: SqlStore) -> None:
    rows = [note() for _ in range(3)]
    await store.write(*(Insert(NOTES, row) for row in rows))
    assert await store.write(Update(NOTES, {"size": 7}, eq("id", rows[0]["id"]))) == [1]
    assert await store.write(Insert(NOTES, rows[1] | {"size": 9}, replace=("size",))) == [1]
    assert await store.write(Insert(NOTES, rows[2] | {"size": 9}, replace=())) == [0]
    found = await store.select(Select(NOTES, columns=("size",), order=("-size",)))
    assert [row["size"] for row in found] == [9, 7, 1]
    assert await store.write(Delete(NOTES, below("size", 100), limit=2)) == [2]
    assert await store.totals(Totals(NOTES)) == {"count": 1}


async def test_a_user_sees_and_changes_only_what_is_theirs(store: SqlStore) -> None:
    ann = User(principal="ann", attributes={"teams": ("a", "b")})
    bob = User(principal="bob", attributes={"teams": ("b",)})
    eve = User(principal="eve", attributes={"roles": ("b",)})
    await store.for_user(ann).write(Insert(NOTES, note(id="of ann")))
    await store.write(Insert(NOTES, note(id="of nobody")))

    async def seen(user: User | None) -> list[str]:
        return [row["id"] for row in await store.for_user(user).select(Select(NOTES, columns=("id",), order=("id",)))]

    assert await seen(ann) == await seen(bob) == await seen(None) == ["of ann", "of nobody"]
    assert await seen(eve) == ["of nobody"]
    assert await store.for_user(eve).write(Delete(NOTES, eq("id", "of ann"))) == [0]
    assert await store.for_user(bob).write(Delete(NOTES, eq("id", "of ann"))) == [1]


async def test_pages_are_stable_while_rows_come_and_go(store: SqlStore) -> None:
    ids = [(await _added(store))["id"] for _ in range(7)]
    asked = PageRequest(limit=3, order="desc")
    page, more = await read_page(store, NOTES, asked)
    assert ([row["id"] for row in page], more) == (ids[:3:-1], True)
    await store.write(Delete(NOTES, eq("id", page[-1]["id"])))
    await _added(store)
    page, more = await read_page(store, NOTES, PageRequest(limit=3, after=page[-1]["id"]))
    assert ([row["id"] for row in page], more) == ([ids[3], ids[2], ids[1]], True)
    page, more = await read_page(store, NOTES, PageRequest(limit=2, before=ids[1], order="asc"))
    assert ([row["id"] for row in page], more) == ([ids[0]], False)
    page, more = await read_page(store, NOTES, PageRequest(limit=2, before=ids[0], order="desc"))
    assert ([row["id"] for row in page], more) == ([ids[2], ids[1]], True)
    with pytest.raises(RequestError, match="`after` is `no-id`"):
        await read_page(store, NOTES, PageRequest(after="no-id"))


async def _added(store: SqlStore) -> dict[str, Any]:
    row = note()
    await store.write(Insert(NOTES, row))
    return row
