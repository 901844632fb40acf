"""Tables come from version to version with what is in them, once, and the way back works; run on each database."""

from __future__ import annotations

import asyncio
import re
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from runtime.errors import Unavailable
from runtime.ids import ordered_id
from runtime.providers.agents.builtin.hidden import Hidden
from runtime.providers.agents.builtin.tables import SCHEMA as AGENTS_SCHEMA
from runtime.providers.files._shared.tables import SCHEMA as FILES_SCHEMA
from runtime.providers.responses.builtin.tables import SCHEMA as RESPONSES_SCHEMA
from runtime.routing.stored_completions import COMPLETIONS
from runtime.routing.stored_completions import SCHEMA as COMPLETIONS_SCHEMA
from runtime.storage.jobs.records import SCHEMA as JOBS_SCHEMA
from runtime.storage.sql import (
    AddColumn,
    AddIndex,
    AddTable,
    Column,
    Delete,
    Index,
    Insert,
    PartOf,
    Run,
    Schema,
    Select,
    SqlStore,
    Stale,
    Table,
    Update,
    eq,
    has_entries,
)
from runtime.storage.sql.backend import Compiled, SqlBackend
from runtime.storage.sql.migrations import VERSIONS
from runtime.storage.sql.tables import OWNER
from tests.conformance.conftest import Open

ID, SIZE, KIND = Column("id", "text"), Column("size", "integer"), Column("kind", "text", default="'plain'")
BY_SIZE, BY_KIND = Index(("size",)), Index(("kind", "size"), unique=True)
EXTRA = Table(name="extra", columns=(Column("id", "text"), Column("more", "json", nullable=True)), key=("id",))
FIRST = Schema(name="notes", tables=(Table(name="", columns=(ID, SIZE), key=("id",), indexes=(BY_SIZE,)),))
SECOND = Schema(
    name="notes",
    tables=(Table(name="", columns=(ID, SIZE, KIND), key=("id",), indexes=(BY_SIZE,)),),
    migrations=((AddColumn("", KIND), Run("UPDATE {} SET kind = 'large' WHERE size > 10")),),
)
THIRD = Schema(
    name="notes",
    tables=(Table(name="", columns=(ID, SIZE, KIND), key=("id",), indexes=(BY_SIZE, BY_KIND)), EXTRA),
    migrations=(
        *SECOND.migrations,
        (AddIndex("", BY_KIND), AddTable(EXTRA), Run("INSERT INTO {extra} (id) SELECT id FROM {}")),
    ),
)


async def shape(backend: SqlBackend, name: str) -> Any:
    """The columns and indexes of the tables whose names begin with `name`, as the database knows them."""
    if backend.dialect.numbered:
        columns = await backend.read(
            "SELECT replace(table_name, $1, ''), column_name, data_type, collation_name, is_nullable, column_default"
            " FROM information_schema.columns WHERE starts_with(table_name, $1) AND table_schema = current_schema()",
            (name,),
        )
        indexes = await backend.read(
            "SELECT replace(indexdef, $1, '') FROM pg_indexes"
            " WHERE starts_with(tablename, $1) AND schemaname = current_schema()",
            (name,),
        )
    else:
        columns = await backend.read(
            "SELECT replace(t.name, ?, ''), c.name, c.type, c.\"notnull\", c.dflt_value, c.pk FROM sqlite_master AS t"
            " JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table' AND instr(t.name, ?) = 1",
            (name, name),
        )
        indexes = await backend.read(
            "SELECT replace(replace(sql, ?, ''), '\"', '') FROM sqlite_master WHERE type = 'index'"
            " AND sql IS NOT NULL AND instr(tbl_name, ?) = 1",
            (name, name),
        )
    # A name that would be too long ends with a hash of all of it.
    told = sorted(re.sub(r"__[0-9a-f]{20}\b", "__hash", index[0]) for index in indexes)
    return sorted(map(tuple, columns), key=str), told


async def store_of(backend: SqlBackend, schema: Schema, name: str = "notes") -> SqlStore:
    store = SqlStore(lambda: backend, schema, name)
    await store.open()
    return store


async def with_rows(backend: SqlBackend) -> None:
    store = await store_of(backend, FIRST)
    await store.write(*(Insert(FIRST.tables[0], {"id": f"n{size}", "size": size}) for size in (5, 50)))


async def sizes(store: SqlStore) -> list[dict[str, Any]]:
    return await store.select(Select(store.schema.tables[0], columns=("id", "size"), order=("id",)))


@pytest.mark.parametrize("passes", [(THIRD,), (SECOND, THIRD)], ids=["at once", "one by one"])
async def test_migrated_tables_are_as_new_ones_with_what_was_in_them(
    open_backend: Open, passes: tuple[Schema, ...]
) -> None:
    first = open_backend()
    await with_rows(first)
    await first.close()
    for schema in passes:
        backend = open_backend()
        store = await store_of(backend, schema)
    await store_of(backend, THIRD, "fresh")
    migrated, fresh = [await shape(backend, name) for name in ("notes", "fresh")]
    assert migrated == fresh
    assert len(migrated[0]) == 9 and len(migrated[1]) >= 2
    rows = await store.select(Select(THIRD.tables[0], columns=("id", "kind"), order=("id",)))
    assert rows == [{"id": "n5", "kind": "plain"}, {"id": "n50", "kind": "large"}]
    assert await store.select(Select(EXTRA, columns=("id", "more"), order=("id",))) == [
        {"id": "n5", "more": None},
        {"id": "n50", "more": None},
    ]


OWNERS = Table(name="", columns=(ID,), key=("id",))
PARTS = Table(name="parts", columns=(ID, Column("note", "text")), key=("id",), part_of=PartOf("", ("note",)))
MORE_PARTS = Table(name="more", columns=PARTS.columns[2:], key=("id",), part_of=PartOf("", ("note",)))


async def test_parts_belong_to_their_owner_before_and_after_a_migration_and_on_the_way_back(
    open_backend: Open,
) -> None:
    old = Schema(name="notes", tables=(OWNERS, PARTS))
    new = Schema(name="notes", tables=(OWNERS, PARTS, MORE_PARTS), migrations=((AddTable(MORE_PARTS),),))

    async def fill(store: SqlStore, *tables: Table) -> None:
        rows = [Insert(table, {"id": f"{table.name}-1", "note": "n1"}) for table in tables]
        await store.write(Insert(OWNERS, {"id": "n1"}), *rows)

    async def parts_after_removal(store: SqlStore, *tables: Table) -> list[int]:
        await store.write(Delete(OWNERS, eq("id", "n1")))
        return [len(await store.select(Select(table))) for table in tables]

    first = open_backend()
    await fill(await store_of(first, old), PARTS)
    await first.close()
    second = open_backend()
    store = await store_of(second, new)
    assert await parts_after_removal(store, PARTS, MORE_PARTS) == [0, 0]
    await fill(store, PARTS, MORE_PARTS)
    assert await parts_after_removal(store, PARTS, MORE_PARTS) == [0, 0]
    [copy] = await second.copies()
    await second.restore(copy)
    await second.close()
    third = open_backend()
    store = await store_of(third, old)
    assert len(await store.select(Select(PARTS))) == 1
    with pytest.raises(Stale):
        await store.write(Insert(PARTS, {"id": "lost", "note": "nobody"}))
    assert await parts_after_removal(store, PARTS) == [0]


async def test_the_way_back_that_the_log_names_leads_back_and_forth_again(
    open_backend: Open, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    first = open_backend()
    await with_rows(first)
    before = await shape(first, "notes")
    await first.close()
    second = open_backend()
    store = await store_of(second, THIRD)
    await store.write(Insert(THIRD.tables[0], {"id": "new", "size": 1}))
    [told] = [record for record in caplog.records if record.message == "tables migrated"]
    assert (told.store, told.version) == ("notes", 3)  # type: ignore[attr-defined]
    await second.close()

    way_back: str = told.way_back  # type: ignore[attr-defined]
    if second.dialect.numbered:
        server = request.getfixturevalue("postgres_server")
        server.run(way_back, request.getfixturevalue("postgres_url"))
    else:
        subprocess.run(way_back, shell=True, check=True)

    third = open_backend()
    store = await store_of(third, FIRST)
    assert await shape(third, "notes") == before
    assert await sizes(store) == [{"id": "n5", "size": 5}, {"id": "n50", "size": 50}]
    await third.close()
    fourth = open_backend()
    store = await store_of(fourth, THIRD)
    assert await sizes(store) == [{"id": "n5", "size": 5}, {"id": "n50", "size": 50}]
    await store_of(fourth, THIRD, "fresh")
    assert await shape(fourth, "notes") == await shape(fourth, "fresh")


async def test_a_migration_that_fails_leaves_everything_as_it_was(open_backend: Open) -> None:
    backend = open_backend()
    await with_rows(backend)
    before = await shape(backend, "notes")
    steps = (AddColumn("", KIND), AddTable(EXTRA), Run("UPDATE {} SET size = nothing_like_it"))
    broken = Schema(name="notes", tables=THIRD.tables, migrations=(steps,))
    with pytest.raises(Unavailable, match="nothing_like_it"):
        await store_of(backend, broken)
    assert await shape(backend, "notes") == before
    assert len(await sizes(await store_of(backend, FIRST))) == 2


async def test_tables_of_a_newer_version_are_refused(open_backend: Open) -> None:
    await store_of(open_backend(), SECOND)
    with pytest.raises(Unavailable) as raised:
        await store_of(open_backend(), FIRST)
    assert raised.value.code == "storage_newer"
    assert raised.value.message.startswith("the tables of the store `notes` in ")
    assert raised.value.message.endswith(" were written by a newer version: their schema is 2, the newest known here 1")


async def test_tables_of_another_store_are_refused(open_backend: Open) -> None:
    await store_of(open_backend(), FIRST)
    other = Schema(name="files", tables=FIRST.tables)
    with pytest.raises(Unavailable, match="are those of the store `notes`") as raised:
        await store_of(open_backend(), other)
    assert raised.value.code == "storage_taken"


async def test_tables_that_we_did_not_make_are_left_alone(open_backend: Open) -> None:
    backend = open_backend()
    await store_of(backend, FIRST, "some")
    forget = Compiled(f"DELETE FROM {VERSIONS.name}", ())
    assert await backend.write([forget]) == [1]
    with pytest.raises(Unavailable, match=r"needs the table `some`, but .* has one that it did not make") as raised:
        await store_of(backend, FIRST, "some")
    assert raised.value.code == "storage_taken"


async def test_handles_that_open_at_once_migrate_once(open_backend: Open, caplog: pytest.LogCaptureFixture) -> None:
    first = open_backend()
    await with_rows(first)
    await first.close()
    stores = await asyncio.gather(*(store_of(open_backend(), THIRD) for _ in range(4)))
    assert [await sizes(store) for store in stores] == [[{"id": "n5", "size": 5}, {"id": "n50", "size": 50}]] * 4
    assert [record.message for record in caplog.records].count("tables migrated") == 1


async def test_copies_of_the_last_two_versions_of_a_store_stay(open_backend: Open) -> None:
    """They were never removed: each upgrade left the whole database once more for each of its stores."""
    backend = open_backend()
    schemas = [FIRST]
    for number in range(4):
        column = Column(f"more{number}", "text", nullable=True)
        [table] = schemas[-1].tables
        wider = replace(table, columns=(*table.columns, column))
        migrations = (*schemas[-1].migrations, (AddColumn("", column),))
        schemas.append(Schema(name="notes", tables=(wider,), migrations=migrations))
    others = [replace(schema, name="others") for schema in schemas]
    await store_of(backend, others[0], "others")
    await store_of(backend, others[1], "others")
    for schema in schemas:
        await store_of(backend, schema, "notes")
        await store_of(backend, schema, "more_notes")
    kept = sorted((copy.store, copy.version) for copy in await backend.copies())
    assert kept == [*(("notes", version) for version in (4, 4, 5, 5)), ("others", 2)]


PLACE = ("position", "id")
STORES = [(COMPLETIONS_SCHEMA, "completions"), (FILES_SCHEMA, "files"), (JOBS_SCHEMA, "jobs")]
OF_BEGUN = (Column("state", "text"), Column("held_by", "text", nullable=True))
"""What files and parts had before what has only begun got a table of its own."""


def is_expiring(table: Table) -> bool:
    return table.pruned == "expire"


def first_version(schema: Schema) -> Schema:
    """A store's schema before its lists had indexes for owners, ages and entries, files a table for what begins, and
    tables the columns that a migration has added.
    """
    added = [step for migration in schema.migrations for step in migration if isinstance(step, AddColumn)]

    def columns_of(table: Table) -> tuple[Column, ...]:
        own = table.columns[2 if table.has_owners else 0 :]
        return tuple(column for column in own if AddColumn(table.name, column) not in added)

    tables = (
        replace(
            table,
            columns=(*columns_of(table), *(OF_BEGUN if is_expiring(table) else ())),
            indexes=(
                *(index for index in table.indexes if index.columns[0] not in (OWNER, table.aged_by)),
                *([Index(("held_by",))] if is_expiring(table) else ()),
            ),
            aged_by=None,
            entries_of=None,
        )
        for table in schema.tables
        if not table.is_inner
    )
    return Schema(name=schema.name, tables=tuple(tables))


@pytest.mark.parametrize(("schema", "name"), STORES, ids=[name for _, name in STORES])
async def test_the_stores_of_the_stack_come_from_their_first_version(
    schema: Schema, name: str, open_backend: Open
) -> None:
    before = open_backend()
    await store_of(before, first_version(schema), name)
    await before.close()
    backend = open_backend()
    await store_of(backend, schema, name)
    await store_of(backend, schema, "fresh")
    assert await shape(backend, name) == await shape(backend, "fresh")


async def test_uploads_that_had_begun_before_a_migration_have_expired_after_it(open_backend: Open) -> None:
    facts = {"position": 1, "size_bytes": 1, "created_at": 1, "filename": "", "purpose": "", "content_type": ""}
    rows = [{**facts, "id": state, "checksum": "", "expires_at": 9, "state": state} for state in ("kept", "pending")]
    before = open_backend()
    store = await store_of(before, first_version(FILES_SCHEMA), "files")
    await store.write(*(Insert(store.schema.tables[0], row) for row in rows))
    await before.close()
    store = await store_of(open_backend(), FILES_SCHEMA, "files")
    found = await store.select(Select(FILES_SCHEMA.tables[0], columns=("id", "expires_at"), order=("id",)))
    assert found == [{"id": "kept", "expires_at": 9}, {"id": "pending", "expires_at": 0}]


async def test_responses_that_had_the_ids_of_all_before_them_have_that_of_the_last(open_backend: Open) -> None:
    was = RESPONSES_SCHEMA.table("")
    columns = (*(one for one in was.columns[2:] if one.name != "previous"), Column("ancestors", "json"))
    parts = [table for table in RESPONSES_SCHEMA.tables if table.name]
    migrations = RESPONSES_SCHEMA.migrations[:1]
    old = Schema(name="responses", tables=(replace(was, columns=columns), *parts), migrations=migrations)
    facts = {"position": 1, "created": 1, "status": "completed", "model": "m", "input": b"[]", "response": b"{}"}
    ids = [ordered_id("resp_", position) for position in (1, 2, 3)]
    rows = [facts | {"id": id, "ancestors": ids[:at]} for at, id in enumerate(ids)]
    before = open_backend()
    store = await store_of(before, old, "responses")
    await store.write(*(Insert(store.schema.tables[0], row) for row in rows))
    await before.close()
    backend = open_backend()
    store = await store_of(backend, RESPONSES_SCHEMA, "responses")
    found = await store.select(Select(was, columns=("id", "previous"), order=("id",)))
    assert [tuple(row.values()) for row in found] == [*zip(ids, [None, *ids], strict=False)]
    await store_of(backend, RESPONSES_SCHEMA, "fresh")
    assert await shape(backend, "responses") == await shape(backend, "fresh")


async def test_agents_from_before_sessions_expired_go_with_them_and_after_them(open_backend: Open) -> None:
    """Their tables delete sessions with the row of their agent, and new ones do not: so that goes last."""
    tables = tuple(
        replace(
            table,
            columns=tuple(one for one in table.columns[2 * table.has_owners :] if one.name != "expires_at"),
            indexes=tuple(index for index in table.indexes if "expires_at" not in index.columns),
            pruned="delete",
        )
        for table in AGENTS_SCHEMA.tables
    )
    before = open_backend()
    store = await store_of(before, Schema(name="agents", tables=tables), "agents")
    agents, sessions, turns = tables
    facts = {"agent_id": "a1", "position": 1, "used": 1, "name": "one", "has_documents": False}
    turn = {"session_id": "s1", "position": 1, "is_over": True, "asked": {}, "responses": [], "results": []}
    await store.write(
        Insert(agents, {"id": "a1", "position": 1, "config": {}}),
        *(Insert(sessions, facts | {"id": id}) for id in ("s1", "s2")),
        Insert(turns, turn | {"id": "t1"}),
    )
    await before.close()
    backend = open_backend()
    store = await store_of(backend, AGENTS_SCHEMA, "agents")
    await store_of(backend, AGENTS_SCHEMA, "fresh")
    assert await shape(backend, "agents") == await shape(backend, "fresh")
    agents, sessions, turns = AGENTS_SCHEMA.tables
    gone = {"expires_at": 0}
    await store.write(Update(sessions, gone, eq("id", "s1")), Update(agents, gone, eq("id", "a1")))
    left = Hidden(store)
    await left.delete_agent("a1")
    assert [row["id"] for row in await store.select(Select(sessions))] == ["s1"], "it is not done with"
    assert len(await left.some_turns("s1")) == 1
    await left.delete_session("s1", now=1.0)
    await left.delete_agent("a1")
    assert [await store.select(Select(table)) for table in (agents, sessions, turns)] == [[], [], []]


async def test_entries_are_there_after_a_migration_and_after_the_way_back(
    open_backend: Open,
) -> None:
    values = {"position": 1, "created": 1, "model": "m", "request_id": "r", "request": b"{}", "answer": b"{}"}
    rows = [values | {"id": id, "metadata": {"of": id}} for id in ("old", "kept", "lost")]

    async def found(store: SqlStore) -> list[str]:
        query = [Select(COMPLETIONS, has_entries("metadata", {"of": row["id"]}), ("id",), PLACE, 5) for row in rows]
        return [row["id"] for one in query for row in await store.select(one)]

    first = open_backend()
    store = await store_of(first, first_version(COMPLETIONS_SCHEMA), "completions")
    await store.write(Insert(store.schema.tables[0], rows[0]))
    await first.close()
    second = open_backend()
    store = await store_of(second, COMPLETIONS_SCHEMA, "completions")
    await store.write(Insert(COMPLETIONS, rows[1]))
    assert await found(store) == ["old", "kept"]
    await second.close()
    later = replace(COMPLETIONS_SCHEMA, migrations=(*COMPLETIONS_SCHEMA.migrations, (AddIndex("", Index(("id",))),)))
    third = open_backend()
    store = await store_of(third, later, "completions")
    await store.write(Insert(COMPLETIONS, rows[2]))
    assert await found(store) == ["old", "kept", "lost"]
    copies = sorted(await third.copies(), key=lambda copy: copy.name, reverse=True)  # by the version in it
    for copy, there in zip(copies, (["old", "kept"], ["old"]), strict=True):
        await third.restore(copy)
        await third.close()
        third = open_backend()
        store = await store_of(third, COMPLETIONS_SCHEMA, "completions")
        assert await found(store) == there
        await store.write(Insert(COMPLETIONS, rows[2]))
        assert await found(store) == [*there, "lost"]
        await store_of(third, COMPLETIONS_SCHEMA, "fresh")
        assert await shape(third, "completions") == await shape(third, "fresh")
        await third.close()
        third = open_backend()
