"""Rows that lead from one to the next, on each database."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.access import User
from runtime.storage.sql import Column, Delete, Insert, Row, Schema, SqlStore, Table, Walk, eq
from runtime.storage.sql.backend import SqlBackend

LINKS = Table(
    name="",
    columns=(
        Column("id", "text"),
        Column("before", "text", nullable=True),
        Column("facts", "json", nullable=True),
        Column("body", "bytes", nullable=True),
    ),
    key=("id",),
)
SCHEMA = Schema(name="links", tables=(LINKS,))


@pytest.fixture
def store(backend: SqlBackend) -> SqlStore:
    return SqlStore(lambda: backend, SCHEMA, "links")


async def chain(store: SqlStore, *ids: str, **values: Any) -> None:
    """Rows that lead from the last to the first."""
    pairs = zip(ids, [None, *ids], strict=False)
    rows = [{"id": id, "before": before, "body": b"12345", **values} for id, before in pairs]
    await store.write(*(Insert(LINKS, row) for row in rows))


async def walked(store: SqlStore, first: str, most_bytes: int = 1000) -> list[Row]:
    return await store.walk(Walk(LINKS, first, "before", ("id", "facts", "body"), ("body", "facts"), most_bytes))


async def ids(store: SqlStore, first: str, most_bytes: int = 1000) -> list[str]:
    return [row["id"] for row in await walked(store, first, most_bytes)]


async def test_rows_come_in_the_order_in_which_they_lead(store: SqlStore) -> None:
    await chain(store, "a", "z", "b", "y", facts={"n": [1]})
    await store.write(Insert(LINKS, {"id": "branch", "before": "b"}))
    assert await ids(store, "y") == ["y", "b", "z", "a"]
    assert await ids(store, "z") == ["z", "a"]
    assert await ids(store, "nothing") == []
    assert await walked(store, "branch") == [
        {"id": "branch", "facts": None, "body": None},
        *({"id": id, "facts": {"n": [1]}, "body": b"12345"} for id in "bza"),
    ]


async def test_it_ends_before_what_is_not_there(store: SqlStore) -> None:
    await chain(store, *"abcde")
    await store.write(Delete(LINKS, eq("id", "c")))
    assert await ids(store, "e") == ["e", "d"]


async def test_it_ends_before_it_is_too_large(store: SqlStore) -> None:
    await chain(store, *"abc")
    assert [await ids(store, "c", most_bytes) for most_bytes in (4, 5, 9, 10, 14, 15)] == [
        [], ["c"], ["c"], ["c", "b"], ["c", "b"], ["c", "b", "a"],
    ]  # fmt: skip


async def test_a_circle_ends_too(store: SqlStore) -> None:
    await chain(store, "a", "b")
    await store.write(Insert(LINKS, {"id": "a", "before": "b", "body": b"12345"}, replace=("before",)))
    assert await ids(store, "b", 22) == ["b", "a", "b", "a"]


async def test_each_walks_over_what_they_see(store: SqlStore) -> None:
    ann = store.for_user(User(principal="ann", attributes={"teams": ("red",)}))
    bob = store.for_user(User(principal="bob", attributes={"teams": ("red", "blue")}))
    eve = store.for_user(User(principal="eve", attributes={"teams": ("blue",)}))
    await store.write(Insert(LINKS, {"id": "a"}))
    await bob.write(Insert(LINKS, {"id": "b", "before": "a"}))
    await ann.write(Insert(LINKS, {"id": "c", "before": "b"}))
    assert [await ids(who, "c") for who in (store, ann, bob)] == [["c", "b", "a"]] * 3
    assert (await ids(eve, "c"), await ids(eve, "b")) == ([], ["b", "a"])


async def test_a_long_walk_is_one_query(store: SqlStore, backend: SqlBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    long = [f"row {number}" for number in range(3000)]
    await chain(store, *long)
    queries: list[int] = []
    read = backend.read

    async def counted(sql: str, values: Any) -> Any:
        queries.append(len(values))
        return await read(sql, values)

    monkeypatch.setattr(backend, "read", counted)
    assert await ids(store, long[-1], 100_000) == long[::-1]
    assert queries == [3]
