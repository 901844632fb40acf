"""Pages of one user, and of rows with an entry: right, stable, and answered by an index; run on each database."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import pytest

from runtime.access import ANYBODY, EVERYBODY, SYSTEM, Caller, User, may_see
from runtime.apis._paging import Order, PageRequest
from runtime.ids import new_position, ordered_id
from runtime.storage.sql import (
    ALL,
    Column,
    Condition,
    Delete,
    Insert,
    Schema,
    Select,
    SqlStore,
    Table,
    Update,
    eq,
    has_entries,
    one_of,
    owner_of,
)
from runtime.storage.sql.backend import SqlBackend
from runtime.storage.sql.dialects import quoted
from runtime.storage.sql.entries import entries_name
from runtime.storage.sql.paging import paging_indexes, read_page
from tests.conformance.conftest import Open

CHATS = Table(
    name="",
    columns=(
        Column("id", "text"),
        Column("position", "integer"),
        Column("model", "text"),
        Column("metadata", "json", nullable=True),
        Column("other", "json", nullable=True),
        Column("body", "bytes", nullable=True),
    ),
    key=("id",),
    indexes=paging_indexes("model"),
    entries_of="metadata",
)
SCHEMA = Schema(name="chats", tables=(CHATS,))
ANN, BOB = User(principal="ann"), User(principal="bob", attributes={"teams": ("red",)})
CLEO = User(principal="cleo", attributes={"teams": ("red", "blue"), "roles": ("x",)})
DAN = User(principal="dan", attributes={"teams": ("blue",)})
NEVER = User(principal="never", attributes={"teams": ("none",)})


def chat(**values: Any) -> dict[str, Any]:
    position = new_position()
    return {"id": ordered_id("chat_", position), "position": position, "model": "m", "metadata": None} | values


@pytest.fixture
def store(backend: SqlBackend) -> SqlStore:
    return SqlStore(lambda: backend, SCHEMA, "chats")


async def walked(
    store: SqlStore, order: Order, where: Condition = ALL, *, limit: int = 3, heavy: bool = False
) -> list[str]:
    """The ids of all pages, one after the other."""
    ids: list[str] = []
    has_more = True
    while has_more:
        asked = PageRequest(limit=limit, order=order, after=ids[-1] if ids else None)
        large = ("body",) if heavy else ()
        page, has_more = await read_page(store, CHATS, asked, where=where, columns=("id", "model"), heavy=large)
        ids += [row["id"] for row in page]
    return ids


async def test_pages_have_what_a_user_may_see_and_what_was_looked_for_in_order(store: SqlStore) -> None:
    chosen = random.Random(7)
    for owner in chosen.choices((SYSTEM, ANN, BOB, CLEO, DAN), k=60):
        metadata = chosen.choice([None, {"a": "1"}, {"a": "1", "b": "2"}, {"b": "2"}, {"a": "2"}])
        row = chat(model=chosen.choice("mn"), metadata=metadata, other={"a": "3"}, body=b"x")
        await store.for_user(owner).write(Insert(CHATS, row))
    rows = await store.select(Select(CHATS, order=("position",)))

    async def check(user: Caller, where: Condition, wanted: Iterable[dict[str, Any]]) -> None:
        ids = [row["id"] for row in wanted if may_see(user, owner_of(row))]
        assert await walked(store.for_user(user), "asc", where) == ids
        assert await walked(store.for_user(user), "desc", where, heavy=True) == ids[::-1]

    for user in (EVERYBODY, ANYBODY, ANN, BOB, CLEO, DAN, NEVER):
        await check(user, ALL, rows)
        await check(user, eq("model", "n"), (row for row in rows if row["model"] == "n"))
        for entries in ({"a": "1"}, {"b": "2", "a": "1"}, {"a": "3"}, {"a": "1", "c": "1"}):
            found = [row for row in rows if entries.items() <= (row["metadata"] or {}).items()]
            await check(user, has_entries("metadata", entries), found)
            await check(user, has_entries("metadata", entries) & has_entries("other", {"a": "3"}), found)
            of_n = [row for row in found if row["model"] == "n"]
            await check(user, has_entries("metadata", entries) & eq("model", "n"), of_n)


async def entries(backend: SqlBackend) -> list[tuple[Any, ...]]:
    query = f"SELECT entry_name, entry_value, entry_id, entry_owner FROM {quoted(entries_name('chats'))}"  # ours
    return sorted(tuple(row) for row in await backend.read(query, ()))


async def test_entries_follow_their_rows(store: SqlStore, backend: SqlBackend) -> None:
    first, second = chat(id="1", metadata={"a": "1", "b": "2"}), chat(id="2", metadata={"a": "1"})
    await store.for_user(ANN).write(Insert(CHATS, first), Insert(CHATS, chat(id="3")))
    await store.write(Insert(CHATS, second))
    assert await entries(backend) == [("a", "1", "1", "ann"), ("a", "1", "2", None), ("b", "2", "1", "ann")]
    await store.write(Insert(CHATS, first | {"metadata": {"c": "3"}}, replace=()))
    await store.write(Insert(CHATS, second | {"metadata": {"c": "3"}}, replace=("metadata",)))
    await store.write(Update(CHATS, {"model": "n"}, ALL))
    assert await entries(backend) == [("a", "1", "1", "ann"), ("b", "2", "1", "ann"), ("c", "3", "2", None)]
    await store.write(Update(CHATS, {"metadata": {"b": "2", "d": "4"}}, one_of("id", ["1", "3"])))
    assert await entries(backend) == [
        *(("b", "2", "1", "ann"), ("b", "2", "3", "ann"), ("c", "3", "2", None)),
        *(("d", "4", "1", "ann"), ("d", "4", "3", "ann")),
    ]
    await store.write(Update(CHATS, {"metadata": None}, eq("id", "1")), Delete(CHATS, eq("id", "3")))
    assert await entries(backend) == [("c", "3", "2", None)]
    await store.write(Delete(CHATS, ALL, limit=10))
    assert await entries(backend) == []


async def test_entries_with_any_text_in_them_are_found(store: SqlStore) -> None:
    long = "ü😀" * 300
    odd: dict[str, Any] = {
        "plain": "\\u0000", "quote": "\"'", "long": long, long: "key", long + "2": "key", "empty": "", "": "empty",
        "nul": "a\0b", "number": 5, "nothing": None, "list": [1, {"a": "b"}],
    }  # fmt: skip
    await store.write(Insert(CHATS, chat(id="odd", metadata=odd)))
    await store.write(Insert(CHATS, chat(id="other", metadata={"long": long[:-1] + "x", "plain": "x"})))
    for name in ("plain", "quote", "long", long, long + "2", "empty", ""):
        assert await walked(store, "asc", has_entries("metadata", {name: odd[name]})) == ["odd"], name
    for name, value in (("long", long[:256]), ("list", "a"), ("nothing", ""), (long[:64], "key")):
        assert await walked(store, "asc", has_entries("metadata", {name: value})) == [], name
    await store.write(Update(CHATS, {"metadata": None}, eq("id", "odd")))
    assert await walked(store, "asc", has_entries("metadata", {"long": long})) == []


class _Asked:
    """A database that remembers what was read from it."""

    def __init__(self, backend: SqlBackend) -> None:
        self._backend = backend
        self.dialect = backend.dialect
        self.queries: list[tuple[str, Sequence[Any]]] = []

    async def prepare(self, schema: Schema, name: str) -> None:
        await self._backend.prepare(schema, name)

    async def read_each(self, queries: Sequence[tuple[str, Sequence[Any]]]) -> Sequence[Sequence[Sequence[Any]]]:
        self.queries += queries
        return await self._backend.read_each(queries)

    async def plans(self) -> list[str]:
        """How the database does what was read."""
        explain = "EXPLAIN (FORMAT JSON) " if self.dialect.numbered else "EXPLAIN QUERY PLAN "
        found = [await self._backend.read(explain + sql, values) for sql, values in self.queries]
        self.queries.clear()
        if self.dialect.numbered:
            return [json.dumps(json.loads(rows[0][0])) for rows in found]
        return ["\n".join(row[3] for row in rows) for rows in found]


async def test_an_index_leads_to_the_rows_of_a_page(store: SqlStore, backend: SqlBackend) -> None:
    many = [chat(model="mn"[place % 50 == 0], metadata={"app": "x"} if place % 3 else None) for place in range(3000)]
    of_ann = [chat(metadata={"app": "x", "kind": "rare"}) for _ in range(5)]
    await store.for_user(User(principal="zed")).write(*(Insert(CHATS, row) for row in many))
    await store.for_user(ANN).write(*(Insert(CHATS, row) for row in of_ann))
    if backend.dialect.numbered:
        await backend.read("ANALYZE", ())  # it chooses by what it knows about the rows, and SQLite by the indexes alone
    asked = _Asked(backend)
    all_rows = SqlStore(lambda: asked, SCHEMA, "chats")  # type: ignore[arg-type, return-value]  # it only reads
    middle = PageRequest(limit=3, after=of_ann[2]["id"], order="asc")
    by_entry, by_owner_and_entry = "chats_entries", "chats_entries__"
    for user, where, index in (
        (ANN, ALL, "chats__owner_position_id"),
        (ANN, eq("model", "m"), "chats__owner_position_id"),
        (ANN, has_entries("metadata", {"app": "x"}), by_owner_and_entry),
        (EVERYBODY, ALL, "chats__position_id"),
        (EVERYBODY, eq("model", "n"), "chats__model_position_id"),
        (EVERYBODY, has_entries("metadata", {"kind": "rare"}), by_entry),
        (EVERYBODY, has_entries("metadata", {"app": "none"}), by_entry),
    ):
        for request in (PageRequest(limit=3), middle):
            await read_page(all_rows.for_user(user), CHATS, request, where=where, columns=("id",))
            plan = (await asked.plans())[-1]
            assert index in plan, (where, plan)
            assert not re.search(r"(?m)^SCAN chats\w*$|Seq Scan", plan), (where, plan)


async def test_a_row_is_in_the_pages_once_while_several_write(open_backend: Open) -> None:
    """Whoever writes meanwhile, and in whatever order that is done: what was there when a walk began is in it, once."""
    backends = [open_backend().with_queue(writers=4, max_waiting=None) for _ in range(2)]
    stores = [SqlStore(partial(lambda backend: backend, backend), SCHEMA, "chats") for backend in backends]
    for store in stores:
        await store.open()
    done: list[str] = []
    is_over = False

    async def write(store: SqlStore) -> None:
        while not is_over:
            begun = [chat() for _ in range(3)]
            for row in reversed(begun):  # the last one begun is the first one done
                await store.for_user(ANN).write(Insert(CHATS, row))
                done.append(row["id"])

    writers = [asyncio.create_task(write(store)) for store in stores for _ in range(3)]
    try:
        for round in range(12):
            while len(done) < 20 * (round + 1):
                await asyncio.sleep(0)
            there = sorted(done)
            order: Order = "asc" if round % 2 else "desc"
            reader = stores[round % 3 % 2].for_user(ANN if round % 4 < 2 else SYSTEM)
            ids = await asyncio.wait_for(walked(reader, order, limit=100), 30)
            assert ids == sorted(set(ids), reverse=order == "desc")
            assert set(there) <= set(ids)
    finally:
        is_over = True
        await asyncio.gather(*writers)
