"""The chunks of a file are read while the file or the index that has them is replaced: never a part, never nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from runtime.conformance.upstream import EMBEDDING_MODEL
from runtime.providers.vector_stores.builtin.index_vectors import IndexVectors
from runtime.providers.vector_stores.builtin.tables import CHUNKS
from runtime.storage.sql import Row, Select, SqlStore
from tests.conformance.vector_stores.asking import Asking
from tests.support.vector_stores import MANY_TOKENS, STORES

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANY_DATABASE = True
LONG = "\n\n".join(f"Paragraph {number} of a long text. " * 15 for number in range(8))


@contextmanager
def before_the_first(step: str, meanwhile: Callable[[], Awaitable[Any]]) -> Iterator[None]:
    """Something else is done just before the chunks, or their vectors, are read for the first time."""
    waiting = [meanwhile]

    async def once() -> None:
        if waiting:
            await waiting.pop()()

    select, read = SqlStore.select, IndexVectors.read

    async def selecting(self: SqlStore, query: Select) -> list[Row]:
        if step == "chunks" and query.table is CHUNKS:
            await once()
        return await select(self, query)

    async def reading(self: IndexVectors, *facts: Any) -> Any:
        if step == "vectors":
            await once()
        return await read(self, *facts)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SqlStore, "select", selecting)
        patched.setattr(IndexVectors, "read", reading)
        yield
    assert not waiting


@pytest.mark.parametrize("step", ["chunks", "vectors"])
@pytest.mark.parametrize("how", ["reindexed", "attached again"])
async def test_a_file_is_read_whole_while_it_is_replaced(stores: Asking, step: str, how: str) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, LONG)
    path = f"{STORES}/{store}/files/{file_id}"

    async def replaced() -> None:
        if how == "reindexed":
            await stores.reindex(store, chunking_strategy=MANY_TOKENS)
        else:
            await stores.done("POST", f"{STORES}/{store}/files", {"file_id": file_id, "chunking_strategy": MANY_TOKENS})
            assert (await stores.ended(store, file_id))["status"] == "completed"
        await stores.removed()

    with before_the_first(step, replaced):
        found = (await stores.done("GET", f"{path}/content?include_embeddings=true"))["data"]
    now = (await stores.done("GET", f"{path}/content?include_embeddings=true"))["data"]
    assert found == now and len(now) > 5 and all(one["embedding"] for one in now)


async def test_a_file_that_is_detached_while_it_is_read_is_not_found(stores: Asking) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, LONG)

    async def detached() -> None:
        await stores.done("DELETE", f"{STORES}/{store}/files/{file_id}")
        await stores.removed()

    with before_the_first("chunks", detached):
        error = await stores.refused(404, "GET", f"{STORES}/{store}/files/{file_id}/content")
    assert file_id in error["message"]


async def test_a_query_has_the_vectors_of_the_index_that_it_found(stores: Asking) -> None:
    store = await stores.store()
    await stores.attach(store, LONG)

    async def reindexed() -> None:
        await stores.reindex(store, chunking_strategy=MANY_TOKENS)
        await stores.removed()

    with before_the_first("vectors", reindexed):
        found = await stores.query(store, "text", include_embeddings=True, max_chunks=50)
    assert len(found) > 5 and all(one["embedding"] for one in found)


async def test_a_page_of_what_a_file_no_longer_has_is_refused(stores: Asking) -> None:
    """Else a reader would take the end of what was there for the end of the file."""
    store = await stores.store()
    file_id = await stores.attach(store, LONG, chunking_strategy=MANY_TOKENS)
    path = f"{STORES}/{store}/files/{file_id}"
    page = (await stores.done("GET", f"{path}/content?limit=2"))["next_page"]
    await stores.done("DELETE", path)
    async with stores.models.holding(EMBEDDING_MODEL):
        await stores.done("POST", f"{STORES}/{store}/files", {"file_id": file_id})
        error = await stores.refused(400, "GET", f"{path}/content?limit=2&page={page}")
        assert (error["code"], error["param"]) == ("invalid_cursor", "page")
        assert (await stores.done("GET", f"{path}/content"))["data"] == []
    await stores.ended(store, file_id)
