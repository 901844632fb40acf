"""What becomes of stores over time: restarts, expiry, pruning, files that are deleted, databases that are empty."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runtime.apis.files.file import File
from runtime.providers.vector_stores.builtin import caring
from runtime.providers.vector_stores.builtin.ingestion import Ingestion
from runtime.providers.vector_stores.builtin.reading import Reading
from runtime.providers.vector_stores.builtin.tables import CHUNKS, FILES, GROUPS, INDEXES
from runtime.providers.vector_stores.builtin.tables import STORES as STORE_ROWS
from runtime.storage.sql import Select, Update, eq
from runtime.storage.sql.ageing import remove_older
from tests.conformance.vector_stores.asking import Asking, asking, text_of
from tests.support.vector_stores import STORES
from tests.support.word_models import Models

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def aged(stores: Asking, store: str, **columns: Any) -> None:
    """As if time had passed for a store."""
    await stores.rows.write(Update(STORE_ROWS, columns, eq("id", store), expect=1))
    await stores.adapter._caring.now()


async def left_of(stores: Asking, store: str) -> list[Any]:
    """Rows of a store, in any table."""
    found: list[Any] = []
    for table in (FILES, INDEXES):
        found += await stores.rows.select(Select(table, eq("store_id", store)))
    return found


async def test_everything_is_there_after_a_restart(
    vector_io: Mapping[str, Any], models: Models, tmp_path: Path
) -> None:
    async with asking(vector_io, models, tmp_path, persistent=True) as first:
        store = await first.store(name="\N{LLAMA} Handbuch", metadata={"team": "süd"})
        file_id = await first.attach(store, "Ein Lama grast auf der Wiese. \N{LLAMA}", "Lama \N{LLAMA}.txt")
        await first.insert(store, {"content": "全文検索 finds words", "metadata": {"document_id": "日本"}})
        shown = await first.shown(store)
    async with asking(vector_io, models, tmp_path, persistent=True) as second:
        again = await second.shown(store)
        assert again | {"last_active_at": 0} == shown | {"last_active_at": 0}
        for mode in ("vector", "keyword", "hybrid"):
            [hit, *_] = await second.search(store, "Lama grast Wiese", search_mode=mode)
            assert (hit["file_id"], hit["filename"]) == (file_id, "Lama \N{LLAMA}.txt")
            assert text_of(hit) == "Ein Lama grast auf der Wiese. \N{LLAMA}"
            [hit, *_] = await second.search(store, "全文検索 words", search_mode=mode)
            assert hit["file_id"] == "日本"


async def test_a_store_that_has_expired_says_so_and_keeps_nothing(stores: Asking) -> None:
    store = await stores.store(expires_after={"anchor": "last_active_at", "days": 1})
    await stores.attach(store, "A llama grazes.")
    await aged(stores, store, expires_at=int(time.time()) - 1)
    shown = await stores.shown(store)
    assert (shown["status"], shown["file_counts"]["total"], shown["usage_bytes"]) == ("expired", 0, 0)
    for path, body in (("search", {"query": "x"}), ("files", {"file_id": "file-1"}), ("reindex", {})):
        error = await stores.refused(400, "POST", f"{STORES}/{store}/{path}", body)
        assert error["code"] == "vector_store_expired" and store in error["message"]
    await stores.removed()
    assert await left_of(stores, store) == []
    await stores.done("DELETE", f"{STORES}/{store}")


async def test_a_store_that_is_used_does_not_expire(stores: Asking) -> None:
    store = await stores.store(expires_after={"anchor": "last_active_at", "days": 1})
    soon = int(time.time()) + 100
    await aged(stores, store, expires_at=soon, last_active_at=soon - 86_400)
    await stores.search(store, "llama")
    shown = await stores.shown(store)
    assert shown["expires_at"] > soon and shown["last_active_at"] > soon - 200


async def test_a_store_that_is_pruned_goes_with_all_that_it_has(stores: Asking) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, "A llama grazes.")
    index = (await stores.indexes(store))[0]["number"]
    await aged(stores, store, last_active_at=1)
    [gone] = [count async for count in remove_older(stores.rows, STORE_ROWS, 100, time.time())]
    assert gone == 1
    await stores.refused(404, "GET", f"{STORES}/{store}")
    await stores.refused(404, "POST", f"{STORES}/{store}/search", {"query": "llama"})
    await stores.adapter._caring.now()
    assert await left_of(stores, store) == []
    for table in (GROUPS, CHUNKS):
        assert await stores.rows.select(Select(table, eq("index_number", index))) == []
    await stores.done("GET", f"/v1/files/{file_id}")  # it is its own


async def test_using_a_store_keeps_it_from_being_pruned(stores: Asking) -> None:
    store = await stores.store()
    await aged(stores, store, last_active_at=1)
    await stores.search(store, "llama")
    assert (await stores.shown(store))["last_active_at"] > time.time() - 60


async def test_a_file_that_was_deleted_is_found_until_it_is_detached_and_its_store_says_so(stores: Asking) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, "A llama grazes.")
    path = f"{STORES}/{store}/files/{file_id}"
    assert (await stores.done("GET", path))["is_stored"] is True
    await stores.done("DELETE", f"/v1/files/{file_id}")
    shown = await stores.done("GET", path)
    assert (shown["is_stored"], shown["status"]) == (False, "completed")
    assert await stores.files_found(store, "llama") == [file_id]
    await stores.done("DELETE", path)
    assert await stores.files_found(store, "llama") == []
    error = await stores.refused(404, "POST", f"{STORES}/{store}/files", {"file_id": file_id})
    assert file_id in error["message"]


async def test_chunks_with_a_time_of_their_own_expire(stores: Asking) -> None:
    store = await stores.store()
    await stores.insert(store, {"content": "A llama grazes.", "metadata": {"document_id": "soon"}}, ttl_seconds=3600)
    await stores.insert(store, {"content": "A llama sleeps.", "metadata": {"document_id": "kept"}})
    mine = eq("source", "soon")
    await stores.rows.write(Update(GROUPS, {"expires_at": int(time.time())}, mine, expect=1))
    await stores.adapter._caring.now()
    assert await stores.files_found(store, "llama") == ["kept"]


async def test_a_database_without_the_vectors_is_named_and_reindexing_makes_them_anew(stores: Asking) -> None:
    """As after `storage import`, which brings tables and no vectors."""
    store = await stores.store()
    file_id = await stores.attach(store, "A llama grazes.", attributes={"year": 2026})
    await stores.insert(store, {"content": "An owl hunts.", "metadata": {"document_id": "owl"}})
    [index] = await stores.indexes(store)
    await stores.adapter._finding._searching._vectors.drop(index["provider_id"], index["collection"])
    for body in ({"query": "llama"}, {"query": "llama", "search_mode": "hybrid"}):
        error = await stores.refused(503, "POST", f"{STORES}/{store}/search", body)
        assert error["code"] == "vectors_missing"
        assert store in error["message"] and index["provider_id"] in error["message"] and "reindex" in error["message"]
    assert await stores.files_found(store, "llama", search_mode="keyword") == [file_id]
    after = await stores.reindex(store)
    assert after["reindexing"]["status"] == "completed"
    [hit] = await stores.search(store, "llama grazes", max_num_results=1)
    assert (hit["file_id"], hit["attributes"]) == (file_id, {"year": 2026})
    assert (await stores.files_found(store, "owl hunts"))[0] == "owl"


async def test_a_file_is_not_attached_to_a_store_that_is_deleted_meanwhile(
    stores: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await stores.store()
    file_id = await stores.upload("A llama grazes.")
    stored = Reading.stored

    async def meanwhile(self: Reading, asked: str) -> File:
        await stores.done("DELETE", f"{STORES}/{store}")
        return await stored(self, asked)

    monkeypatch.setattr(Reading, "stored", meanwhile)
    error = await stores.refused(404, "POST", f"{STORES}/{store}/files", {"file_id": file_id})
    assert store in error["message"]
    await stores.removed()
    assert await left_of(stores, store) == []


async def test_files_that_wait_are_looked_after_in_turns(stores: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are. Those here are rows whose job was never added, as a kill leaves them."""
    monkeypatch.setattr(caring, "_LOOKED_AFTER", 2)
    store = await stores.store()
    files = [await stores.upload(f"Llama {number} grazes.") for number in range(5)]
    with monkeypatch.context() as patched:

        async def lost(*_: object, **__: object) -> None:
            """As when the process ends before the job is added."""

        patched.setattr(Ingestion, "enqueue", lost)
        await stores.done("POST", f"{STORES}/{store}/file_batches", {"file_ids": files})
    await stores.rows.write(Update(FILES, {"created_at": 1}, eq("store_id", store), expect=5))
    for _ in range(3):
        await stores.adapter._caring.now()
    assert {(await stores.ended(store, file_id))["status"] for file_id in files} == {"completed"}
