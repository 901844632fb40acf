"""Vector stores themselves: made, listed, changed and deleted, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL
from runtime.providers.vector_stores.builtin.indexes import VectorIndex
from tests.conformance.vector_stores.asking import Asking
from tests.support.vector_stores import STORES
from tests.support.word_models import DIMENSION

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANY_DATABASE = True  # what is kept of stores is not the database's


async def test_a_store_is_as_it_was_made_and_changed(stores: Asking) -> None:
    facts = {"name": "Handbook", "description": "What we know", "metadata": {"team": "a"}}
    made = await stores.done("POST", STORES, facts | {"expires_after": {"anchor": "last_active_at", "days": 7}})
    path = f"{STORES}/{made['id']}"
    assert await stores.done("GET", path) == made
    assert made == made | facts | {
        "object": "vector_store", "status": "completed", "usage_bytes": 0, "embedding_model": EMBEDDING_MODEL,
        "embedding_dimension": DIMENSION, "expires_at": made["created_at"] + 7 * 86_400, "reindexing": None,
        "file_counts": {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0},
    }  # fmt: skip
    changed = await stores.done("POST", path, {"name": "Other"})
    assert (changed["name"], changed["description"], changed["metadata"]) == ("Other", "What we know", {"team": "a"})
    nothing = dict.fromkeys(("name", "description", "metadata", "expires_after"))
    changed = await stores.done("POST", path, nothing)
    assert (changed["name"], changed["description"], changed["metadata"]) == ("", None, {})
    assert (changed["expires_after"], changed["expires_at"]) == (None, None)
    assert await stores.done("DELETE", path) == {"id": made["id"], "object": "vector_store.deleted", "deleted": True}
    for method in ("GET", "DELETE"):
        error = await stores.refused(404, method, path)
        assert made["id"] in error["message"] and error["param"] == "vector_store_id"


async def test_stores_are_listed_page_by_page_in_either_order(stores: Asking) -> None:
    made = [await stores.store(name=f"page {number}") for number in range(5)]
    found, after = [], ""
    while True:
        page = await stores.done("GET", f"{STORES}?limit=2&order=desc{after}")
        found += [one["id"] for one in page["data"]]
        assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
        if made[0] in found or not page["has_more"]:
            break
        after = f"&after={page['last_id']}"
    assert found[:5] == made[::-1]
    before = await stores.done("GET", f"{STORES}?order=asc&limit=2&before={made[4]}")
    assert [one["id"] for one in before["data"]] == made[2:4]
    error = await stores.refused(400, "GET", f"{STORES}?after=nothing")
    assert (error["code"], error["param"]) == ("invalid_cursor", "after")


@pytest.mark.parametrize(
    ("body", "status", "param", "words"),
    [
        ({"embedding_model": "none-such"}, 400, "embedding_model", "none-such"),
        ({"embedding_model": CHAT_MODEL}, 400, "embedding_model", "`llm`"),
        ({"embedding_dimension": 7}, 400, "embedding_dimension", f"{DIMENSION} numbers, not of 7"),
        ({"provider_id": "elsewhere"}, 400, "provider_id", "elsewhere"),
        ({"file_ids": [""]}, 400, "file_ids[0]", "at least 1 character"),
        ({"file_ids": ["file-none"]}, 404, "file_ids[0]", "file-none"),
        ({"expires_after": {"anchor": "created_at", "days": 1}}, 400, "expires_after.anchor", ""),
        ({"expires_after": {"anchor": "last_active_at", "days": 366}}, 400, "expires_after.days", ""),
        ({"metadata": {"k": "v" * 513}}, 400, "metadata.k", ""),
        ({"colour": "red"}, 400, "colour", ""),
    ],
)
async def test_what_a_store_cannot_be_made_of_is_refused(
    stores: Asking, body: dict[str, Any], status: int, param: str, words: str
) -> None:
    before = [one["id"] for one in (await stores.done("GET", STORES))["data"]]
    error = await stores.refused(status, "POST", STORES, body)
    assert error["param"] == param and error["code"] and words in error["message"], error
    assert [one["id"] for one in (await stores.done("GET", STORES))["data"]] == before


async def test_a_store_is_made_with_its_files(stores: Asking) -> None:
    files = [await stores.upload(f"Animal {number} grazes.") for number in range(3)]
    made = await stores.done("POST", STORES, {"file_ids": files})
    assert made["file_counts"]["total"] == 3
    for file_id in files:
        assert (await stores.ended(made["id"], file_id))["status"] == "completed"
    shown = await stores.shown(made["id"])
    assert (shown["status"], shown["file_counts"]["completed"]) == ("completed", 3)
    assert shown["usage_bytes"] == 3 * (len("Animal 0 grazes.") + DIMENSION * 4)
    assert sorted(await stores.files_found(made["id"], "animal")) == sorted(files)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/search"), ("POST", "/files"), ("GET", "/files"), ("GET", "/files/file-1"), ("POST", "/files/file-1"),
        ("DELETE", "/files/file-1"), ("GET", "/files/file-1/content"), ("POST", "/file_batches"), ("POST", "/reindex"),
        ("GET", "/file_batches/b"), ("POST", "/file_batches/b/cancel"), ("GET", "/file_batches/b/files"),
    ],
)  # fmt: skip
async def test_a_store_that_is_not_there_is_a_404_with_its_id(stores: Asking, method: str, path: str) -> None:
    bodies = {"/search": {"query": "x"}, "/files": {"file_id": "f"}, "/file_batches": {"file_ids": ["f"]}}
    body = bodies.get(path, {"attributes": {}} if method == "POST" and path.startswith("/files/") else None)
    error = await stores.refused(404, method, f"{STORES}/vs_none{path}", body if method == "POST" else None)
    assert "vs_none" in error["message"] and error["code"] == "vector_store_not_found"


async def test_one_that_is_made_and_deleted_meanwhile_takes_nothing_of_its_successor_along(
    stores: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, new_index = stores.adapter._stores, stores.adapter._stores.new_index

    async def overtaken(*given: Any, **facts: Any) -> VectorIndex:
        index = await new_index(*given, **facts)
        monkeypatch.undo()
        await stores.done("POST", "/v1/vector-dbs", {"vector_db_id": "twice"})
        await stores.done("DELETE", "/v1/vector-dbs/twice")
        return index

    monkeypatch.setattr(made, "new_index", overtaken)
    await stores.done("POST", "/v1/vector-dbs", {"vector_db_id": "twice"})
    await stores.removed()
    await stores.insert("twice", {"content": "A llama grazes.", "metadata": {"document_id": "d"}})
    assert len(await stores.search("twice", "llama")) == 1
    assert [row["state"] for row in await stores.indexes("twice")] == ["serving"]
