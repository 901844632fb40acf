"""What every database promises to the stores in it (`runtime/storage/sql`), run on each that there is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.access import ANYBODY, EVERYBODY, Caller, User
from runtime.apis._paging import Order, PageRequest
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
from runtime.storage.sql.backend import SqlBackend
from runtime.storage.sql.paging import BY_POSITION, MOST_BYTES, read_page
from tests.conformance.conftest import Open

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


@pytest.fixture
def store(backend: SqlBackend) -> SqlStore:
    return SqlStore(lambda: backend, SCHEMA, "notes")


async def test_every_kind_of_value_is_read_back(store: SqlStore) -> None:
    row = note(id="ключ 😀", size=2**62, ratio=0.1, body=b"\x00\xff" * 500_000, metadata={"a": [1, None, "é", "\0"]})
    assert await store.write(Insert(NOTES, row)) == [1]
    assert await store.first(Select(NOTES, eq("id", row["id"]))) == row | {"owner": None, "owner_groups": None}


async def test_several_queries_are_asked_together_each_as_the_user_may(store: SqlStore) -> None:
    mine, other = note(size=1, metadata={"a": [1]}), note(size=2)
    ann = store.for_user(User(principal="ann"))
    await ann.write(Insert(NOTES, mine))
    await store.for_user(User(principal="bob")).write(Insert(NOTES, other))
    size = Select(NOTES, columns=("size",))
    found = await ann.select_each(size, Select(NOTES, eq("id", other["id"])), Select(NOTES, eq("id", mine["id"])))
    assert [[row["size"] for row in rows] for rows in found] == [[1], [], [1]]
    assert found[2][0]["metadata"] == {"a": [1]}


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


async def test_json_with_any_text_in_it_can_be_searched(store: SqlStore) -> None:
    odd = {"nul": "a\0b", "text": "\\u0000", "quote": "\"'", "wanted": "ja 😀"}
    await store.write(Insert(NOTES, note(id="odd", metadata=odd)), Insert(NOTES, note(id="none")))
    for wanted in ({"wanted": "ja 😀"}, {"text": "\\u0000"}, {"quote": "\"'"}):
        found = await store.select(Select(NOTES, has_entries("metadata", wanted), ("id", "metadata")))
        assert found == [{"id": "odd", "metadata": odd}]
    assert await store.select(Select(NOTES, has_entries("metadata", {"wanted": "nein"}))) == []


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

    async def seen(user: Caller) -> list[str]:
        return [row["id"] for row in await store.for_user(user).select(Select(NOTES, columns=("id",), order=("id",)))]

    assert await seen(ann) == await seen(bob) == await seen(EVERYBODY) == ["of ann", "of nobody"]
    assert await seen(eve) == await seen(ANYBODY) == ["of nobody"]
    assert await store.for_user(eve).write(Delete(NOTES, eq("id", "of ann"))) == [0]
    assert await seen(ann) == ["of ann", "of nobody"]
    taken = note(id="of ann", size=9)
    for user in (eve, User(principal="zoe"), ANYBODY):
        with pytest.raises(Stale):
            await store.for_user(user).write(Insert(NOTES, taken, replace=("size",)))
        with pytest.raises(Duplicate):
            await store.for_user(user).write(Insert(NOTES, taken))
    assert await store.totals(Totals(NOTES, sums=("size",))) == {"count": 2, "size": 2}
    assert await store.for_user(bob).write(Insert(NOTES, taken, replace=("size",))) == [1]
    assert await store.for_user(eve).write(Insert(NOTES, note(id="of eve"), replace=("size",))) == [1]
    assert await store.totals(Totals(NOTES, sums=("size",))) == {"count": 3, "size": 11}
    assert await seen(ann) == ["of ann", "of nobody"]
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


async def test_a_page_ends_before_it_is_too_large_for_memory(store: SqlStore) -> None:
    third = MOST_BYTES // 3
    sizes = [third, third, third, 2 * MOST_BYTES, None, 1, 0]
    rows = [note(body=None if size is None else b"x" * size) for size in sizes]
    await store.write(*(Insert(NOTES, row) for row in rows))
    ids = [row["id"] for row in rows]

    async def pages(order: Order, limit: int) -> list[list[str]]:
        found, after, more = [], None, True
        while more:
            asked = PageRequest(limit=limit, order=order, after=after)
            page, more = await read_page(store, NOTES, asked, columns=("id", "body"), heavy=("body",))
            assert [row["body"] for row in page] == [rows[ids.index(row["id"])]["body"] for row in page]
            found.append([row["id"] for row in page])
            after = found[-1][-1]
        return found

    assert await pages("asc", 10) == [ids[:3], ids[3:4], ids[4:]]
    assert await pages("asc", 2) == [ids[:2], ids[2:3], ids[3:4], ids[4:6], ids[6:]]
    assert await pages("desc", 10) == [ids[:3:-1], ids[3:4], ids[2::-1]]
    before = PageRequest(limit=3, order="asc", before=ids[4])
    assert await read_page(store, NOTES, before, columns=("id",), heavy=("body",)) == ([{"id": ids[3]}], True)
    nothing = PageRequest(after=ids[-1], order="asc")
    assert await read_page(store, NOTES, nothing, columns=("id",), heavy=("body",)) == ([], False)


async def test_a_row_that_is_there_undoes_only_the_write_that_adds_it_again(store: SqlStore) -> None:
    there = note()
    await store.write(Insert(NOTES, there))
    rows = [note() for _ in range(20)]
    changes = [store.write(Insert(NOTES, row)) for row in rows]
    changes[7:7] = [
        store.write(Insert(NOTES, note(id="with it")), Insert(NOTES, there)),
        store.write(Insert(NOTES, note(id="stale")), Update(NOTES, {"size": 2}, eq("id", "nobody"), expect=1)),
        store.write(Update(NOTES, {"size": 2}, eq("id", "nobody"), expect=1)),
    ]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[7:10]] == [Duplicate, Stale, Stale]
    assert outcomes[:7] + outcomes[10:] == [[1]] * 20
    kept = await store.select(Select(NOTES, columns=("id",)))
    assert {row["id"] for row in kept} == {there["id"], *(row["id"] for row in rows)}


async def test_one_of_many_rows_that_is_there_fails_alone(store: SqlStore) -> None:
    await store.open()
    rows = [note(id=f"{place:03}") for place in range(100)]
    outcomes = await asyncio.gather(
        *(store.write(Insert(NOTES, row)) for row in [*rows, rows[50]]), return_exceptions=True
    )
    assert outcomes[:-1] == [[1]] * 100 and isinstance(outcomes[-1], Duplicate)
    kept = await store.select(Select(NOTES, columns=("id",), order=("id",)))
    assert [row["id"] for row in kept] == [row["id"] for row in rows]


async def test_64_writers_at_once_lose_nothing(store: SqlStore) -> None:
    await store.write(Insert(NOTES, note(id="count", size=0)))

    async def write(writer: int) -> None:
        for number in range(5):
            await store.write(
                Insert(NOTES, note(id=f"{writer}/{number}", metadata={"n": number})),
                Insert(TAGS, {"note_id": f"{writer}/{number}", "tag": f"{writer}/{number}"}),
            )
        while True:
            counted = await store.first(Select(NOTES, eq("id", "count"), ("size",)))
            assert counted is not None
            size = counted["size"]
            try:
                await store.write(Update(NOTES, {"size": size + 1}, eq("id", "count") & eq("size", size), expect=1))
            except Stale:
                continue
            return

    await asyncio.gather(*(write(writer) for writer in range(64)))
    assert await store.first(Select(NOTES, eq("id", "count"), ("size",))) == {"size": 64}
    assert [await store.totals(Totals(table)) for table in (NOTES, TAGS)] == [{"count": 321}, {"count": 320}]


async def test_what_was_written_is_there_after_reopening(open_backend: Open) -> None:
    first = open_backend()
    row = note(id="ключ", body=b"x" * 1_000_000)
    await SqlStore(lambda: first, SCHEMA, "notes").write(Insert(NOTES, row))
    await first.close()
    second = SqlStore(open_backend, SCHEMA, "notes")
    assert await second.first(Select(NOTES, columns=("id", "body"))) == {"id": "ключ", "body": row["body"]}


async def test_closing_waits_for_what_was_asked_for_and_takes_nothing_more(store: SqlStore, open_backend: Open) -> None:
    backend = await store.open()
    writes = [asyncio.ensure_future(store.write(Insert(NOTES, note()))) for _ in range(100)]
    await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
    await backend.close()
    await backend.close()
    assert await asyncio.gather(*writes) == [[1]] * 100
    for call in (store.write(Insert(NOTES, note())), store.select(Select(NOTES))):
        with pytest.raises(RuntimeError, match="the database is closed"):
            await call
    assert await SqlStore(open_backend, SCHEMA, "notes").totals(Totals(NOTES)) == {"count": 100}


async def test_closing_waits_for_what_was_asked_for_a_moment_ago(store: SqlStore, open_backend: Open) -> None:
    backend = await store.open()
    writes = [asyncio.ensure_future(store.write(Insert(NOTES, note()))) for _ in range(3)]
    await asyncio.sleep(0)
    await backend.close()
    assert await asyncio.gather(*writes) == [[1]] * 3
    assert await SqlStore(open_backend, SCHEMA, "notes").totals(Totals(NOTES)) == {"count": 3}


async def test_a_caller_who_leaves_takes_nothing_back(store: SqlStore) -> None:
    await store.open()
    leaving = asyncio.ensure_future(store.write(Insert(NOTES, note(id="left"))))
    staying = asyncio.ensure_future(store.write(Insert(NOTES, note(id="stayed"))))
    await asyncio.wait([staying], timeout=0)
    leaving.cancel()
    await staying
    assert leaving.cancelled()
    assert await store.totals(Totals(NOTES)) == {"count": 2}


async def test_a_store_may_have_a_small_queue_of_its_own(backend: SqlBackend) -> None:
    small = SqlStore(lambda: backend.with_queue(writers=2, max_waiting=3), SCHEMA, "notes")
    await asyncio.gather(*(small.write(Insert(NOTES, note())) for _ in range(40)))
    large = SqlStore(lambda: backend.with_queue(writers=None, max_waiting=None), SCHEMA, "notes")
    assert await large.totals(Totals(NOTES)) == {"count": 40}


async def test_true_and_false_are_numbers(store: SqlStore) -> None:
    await store.write(Insert(NOTES, note(size=True, ratio=1)))
    assert await store.first(Select(NOTES, eq("size", 1), ("size", "ratio"))) == {"size": 1, "ratio": 1.0}


async def _added(store: SqlStore) -> dict[str, Any]:
    row = note()
    await store.write(Insert(NOTES, row))
    return row
