"""A writer that is cancelled while its group becomes live gives it up: what is live is not removed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from runtime.provider import Tasks
from runtime.providers.vector_stores.builtin.indexes import Indexes, index_of
from runtime.providers.vector_stores.builtin.removing import Removing
from runtime.providers.vector_stores.builtin.tables import CHUNKS, GROUPS, INDEXES, REMOVALS, SCHEMA
from runtime.providers.vector_stores.builtin.writing import NewGroup, Shown, Writing
from runtime.storage import sql
from runtime.storage.sql.sqlite import SqliteBackend

INDEX = {
    "number": 1, "store_id": "vs_1", "state": "serving", "provider_id": "p", "collection": "c", "embedding_model": "m",
    "embedding_source": "s", "dimension": 2, "chunking": None, "version": 0, "floor": 0,
}  # fmt: skip


class Vectors:
    """Remembers which groups were removed."""

    def __init__(self) -> None:
        self.removed: list[int] = []

    async def remove_groups(self, provider_id: str, collection: str, groups: list[int]) -> None:
        self.removed += groups


class Words:
    """Removes from an index without words."""

    index: Any

    def __init__(self) -> None:
        self.index = self

    async def remove(self, index: int, numbers: object) -> None:
        pass


@pytest_asyncio.fixture
async def rows(tmp_path: Path) -> AsyncIterator[sql.SqlStore]:
    backend = SqliteBackend(tmp_path / "sql.db")
    yield sql.SqlStore(lambda: backend, SCHEMA, "vector_stores")
    await backend.close()


@pytest.mark.parametrize("is_too_late", [True, False], ids=["after it was shown", "before"])
async def test_a_group_that_was_given_up_after_it_was_shown_stays(rows: sql.SqlStore, is_too_late: bool) -> None:
    await rows.write(sql.Insert(INDEXES, INDEX))
    indexes, vectors, words = Indexes(rows), Vectors(), cast(Any, Words())
    writing = Writing(rows, words, cast(Any, vectors), indexes, cast(Any, None))
    [draft] = await writing.begin(index_of(INDEX), [NewGroup(source="file-1", filename="f", content="x")])
    draft.chunks = 1

    async def shown() -> Shown:
        return Shown({}, {"x": 1}, ())

    if is_too_late:
        showing = asyncio.ensure_future(writing.publish(draft, shown))
        await asyncio.wait({showing})  # its commit is over, and who waited for it is cancelled before it is told
    await writing.abandon(draft)
    assert await rows.select(sql.Select(REMOVALS, sql.eq("number", draft.number)))
    await Removing(rows, words, cast(Any, vectors), indexes, Tasks("tests")).now()
    live = await rows.select(sql.Select(GROUPS, sql.eq("state", "live")))
    assert [row["number"] for row in live] == ([draft.number] if is_too_late else [])
    assert vectors.removed == ([] if is_too_late else [draft.number])
    assert await rows.select(sql.Select(REMOVALS, sql.eq("number", draft.number))) == []
    assert await rows.select(sql.Select(CHUNKS, sql.eq("index_number", 1))) == []
