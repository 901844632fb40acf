"""Files of a store: attached alone and in batches, listed, changed, read and detached."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.access import SYSTEM
from runtime.conformance.upstream import EMBEDDING_MODEL
from runtime.providers.vector_stores.builtin.tables import FILES
from runtime.storage.sql import Select, eq
from tests.conformance.vector_stores.asking import LIMIT_S, Asking, text_of
from tests.support.vector_stores import MANY_TOKENS, STORES
from tests.support.word_models import DIMENSION, Models, vector_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG = "\n\n".join(f"Paragraph {number} of a long text. " * 15 for number in range(8))


async def test_a_file_is_found_by_what_it_says(stores: Asking) -> None:
    store = await stores.store(name="animals")
    llamas = await stores.attach(store, "# Llamas\n\nA llama grazes on the meadow.\n", "llamas.md")
    await stores.attach(store, "# Ships\n\nA ship sails over the ocean.\n", "ships.md")
    for mode in ("vector", "keyword", "hybrid"):
        [hit, *_] = await stores.search(store, "who grazes on a meadow", search_mode=mode)
        assert (hit["file_id"], hit["filename"]) == (llamas, "llamas.md"), mode
        assert "A llama grazes on the meadow." in text_of(hit)
        assert 0 < hit["score"] <= 1


async def test_a_file_says_how_it_is_and_what_became_of_it(stores: Asking) -> None:
    store = await stores.store()
    file_id = await stores.upload(LONG)
    body = {"file_id": file_id, "attributes": {"year": 2026, "draft": False}, "chunking_strategy": MANY_TOKENS}
    made = await stores.done("POST", f"{STORES}/{store}/files", body)
    assert (made["id"], made["status"], made["report"], made["last_error"]) == (file_id, "in_progress", None, None)
    found = await stores.ended(store, file_id)
    content = (await stores.done("GET", f"{STORES}/{store}/files/{file_id}/content"))["data"]
    text_bytes = sum(len(chunk["text"].encode()) for chunk in content)
    assert found == found | {
        "object": "vector_store.file", "status": "completed", "vector_store_id": store, "last_error": None,
        "attributes": {"year": 2026, "draft": False}, "chunking_strategy": MANY_TOKENS,
        "usage_bytes": text_bytes + len(content) * DIMENSION * 4,
    }  # fmt: skip
    assert found["report"] == found["report"] | {"chunks": len(content), "skipped": 0, "why": [], "pages": None}
    assert {"read", "embed", "store"} == found["report"]["seconds"].keys()


async def test_the_chunks_of_a_file_are_read_page_by_page(stores: Asking) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, LONG, chunking_strategy=MANY_TOKENS)
    path = f"{STORES}/{store}/files/{file_id}/content"
    whole = await stores.done("GET", path)
    assert not whole["has_more"] and len(whole["data"]) > 5
    assert all(one.keys() == {"type", "text"} for one in whole["data"])  # as OpenAI's
    found, page = [], ""
    while True:
        part = await stores.done("GET", f"{path}?limit=2&include_embeddings=true&include_metadata=true{page}")
        found += part["data"]
        if not part["has_more"]:
            break
        page = f"&page={part['next_page']}"
    assert [one["text"] for one in found] == [one["text"] for one in whole["data"]]
    for one in found:
        assert one["embedding"] == pytest.approx(vector_of(one["text"], DIMENSION).tolist(), abs=1e-3)
        assert one["metadata"]["filename"] == "a.txt" and one["chunk_metadata"]["document_id"] == file_id
    error = await stores.refused(400, "GET", f"{path}?page=7")
    assert (error["code"], error["param"]) == ("invalid_cursor", "page")


async def test_attributes_are_compared_by_the_next_search(stores: Asking) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, "A llama grazes.", attributes={"year": 2025})
    path = f"{STORES}/{store}/files/{file_id}"
    for year in range(2026, 2036):
        changed = await stores.done("POST", path, {"attributes": {"year": year}})
        assert changed["attributes"] == {"year": year}
        for mode in ("vector", "keyword", "hybrid"):
            now = {"type": "eq", "key": "year", "value": year}
            [hit] = await stores.search(store, "llama", filters=now, search_mode=mode)
            assert hit["attributes"] == {"year": year}
            before = {"type": "lt", "key": "year", "value": year}
            assert await stores.search(store, "llama", filters=before, search_mode=mode) == []
    await stores.done("POST", path, {"attributes": None})
    assert (await stores.search(store, "llama"))[0]["attributes"] == {}


async def test_a_detached_file_is_not_found_by_the_next_search(stores: Asking) -> None:
    store = await stores.store()
    kept = await stores.attach(store, "A llama grazes.")
    gone = await stores.attach(store, "A llama sleeps.")
    path = f"{STORES}/{store}/files/{gone}"
    assert await stores.done("DELETE", path) == {"id": gone, "object": "vector_store.file.deleted", "deleted": True}
    for mode in ("vector", "keyword", "hybrid"):
        assert await stores.files_found(store, "llama sleeps", search_mode=mode) == [kept]
    for method, tail in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        error = await stores.refused(404, method, path + tail)
        assert gone in error["message"] and store in error["message"] and error["param"] == "file_id"
    await stores.done("GET", f"/v1/files/{gone}")
    await stores.removed()
    assert await stores.files_found(store, "llama") == [kept]


async def test_a_file_that_is_attached_again_is_there_once(stores: Asking) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, LONG, attributes={"a": 1})
    one = {"file_id": file_id, "attributes": {"a": 2}, "chunking_strategy": MANY_TOKENS}
    await stores.done("POST", f"{STORES}/{store}/files", one)
    await stores.ended(store, file_id)
    content = (await stores.done("GET", f"{STORES}/{store}/files/{file_id}/content"))["data"]
    hits = await stores.search(store, "long text", max_num_results=50)
    assert len(hits) == len(content) > 5 and {hit["attributes"]["a"] for hit in hits} == {2}
    assert (await stores.shown(store))["file_counts"]["total"] == 1


@pytest.mark.parametrize(
    ("content", "filename", "code"),
    [
        (b"", "empty.txt", "invalid_file"),
        (b"<p> </p>", "blank.html", "invalid_file"),
        (b"\x00\x01\x02\xff" * 99, "a.bin", "unsupported_file"),
    ],
)
async def test_a_file_without_text_has_failed(stores: Asking, content: bytes, filename: str, code: str) -> None:
    store = await stores.store()
    file_id = await stores.upload(content, filename)
    await stores.done("POST", f"{STORES}/{store}/files", {"file_id": file_id})
    found = await stores.ended(store, file_id)
    assert found["status"] == "failed" and found["last_error"]["message"]
    assert found["last_error"]["code"] == code
    counts = (await stores.shown(store))["file_counts"]
    assert (counts["failed"], counts["completed"], counts["total"]) == (1, 0, 1)


async def test_files_are_listed_by_status_and_page_by_page(stores: Asking) -> None:
    store = await stores.store()
    files = [await stores.attach(store, f"Animal {number} grazes.") for number in range(5)]
    bad = await stores.upload(b"", "empty.txt")
    await stores.done("POST", f"{STORES}/{store}/files", {"file_id": bad})
    await stores.ended(store, bad)
    path = f"{STORES}/{store}/files"
    assert [one["id"] for one in (await stores.done("GET", path))["data"]] == [bad, *files[::-1]]
    assert [one["id"] for one in (await stores.done("GET", f"{path}?filter=failed"))["data"]] == [bad]
    page = await stores.done("GET", f"{path}?filter=completed&order=asc&limit=2&after={files[0]}")
    assert [one["id"] for one in page["data"]] == files[1:3] and page["has_more"]
    page = await stores.done("GET", f"{path}?order=asc&before={files[2]}")
    assert [one["id"] for one in page["data"]] == files[:2] and not page["has_more"]
    await stores.done("DELETE", f"{path}/{files[0]}")
    error = await stores.refused(400, "GET", f"{path}?after={files[0]}")
    assert (error["code"], error["param"]) == ("invalid_cursor", "after")


async def test_a_batch_has_attributes_and_chunks_for_each_file(stores: Asking) -> None:
    store = await stores.store()
    files = [await stores.upload(f"{LONG} {number}") for number in range(4)]
    asked: list[dict[str, Any]] = [{"file_id": one, "attributes": {"place": at}} for at, one in enumerate(files)]
    asked[1]["chunking_strategy"] = MANY_TOKENS
    batch = await stores.done("POST", f"{STORES}/{store}/file_batches", {"files": asked})
    assert (batch["object"], batch["vector_store_id"], batch["file_counts"]["total"]) == (
        "vector_store.files_batch", store, 4,
    )  # fmt: skip
    ended = await stores.batch_ended(store, batch["id"])
    assert (ended["status"], ended["file_counts"]["completed"]) == ("completed", 4)
    for at, file_id in enumerate(files):
        where = {"type": "eq", "key": "place", "value": at}
        assert set(await stores.files_found(store, "long text", filters=where)) == {file_id}
    path = f"{STORES}/{store}/file_batches/{batch['id']}/files"
    page = await stores.done("GET", f"{path}?order=asc&limit=3")
    assert [one["id"] for one in page["data"]] == files[:3] and page["has_more"]
    rest = await stores.done("GET", f"{path}?order=asc&after={page['last_id']}")
    assert [one["id"] for one in rest["data"]] == files[3:]
    sizes = [one["chunking_strategy"]["static"]["max_chunk_size_tokens"] for one in page["data"]]
    assert sizes == [800, 100, 800]


async def test_a_store_of_a_file_that_is_not_there_names_its_place(stores: Asking) -> None:
    file_id = await stores.upload("x")
    refused = await stores.ask("POST", STORES, {"file_ids": [file_id, "file-none"]})
    assert (refused.status, refused.error["param"]) == (404, "file_ids[1]")


async def test_a_batch_is_of_file_ids_or_of_files(stores: Asking) -> None:
    store = await stores.store()
    file_id = await stores.upload("A llama grazes.")
    path = f"{STORES}/{store}/file_batches"
    for body in ({}, {"file_ids": [file_id], "files": [{"file_id": file_id}]}, {"file_ids": [file_id, file_id]}):
        await stores.refused(400, "POST", path, body)
    batch = await stores.done("POST", path, {"file_ids": [file_id, "file-none"], "attributes": {"a": 1}})
    ended = await stores.batch_ended(store, batch["id"])
    counts = ended["file_counts"]
    assert (ended["status"], counts["completed"], counts["failed"], counts["total"]) == ("completed", 1, 1, 2)
    failed = await stores.done("GET", f"{STORES}/{store}/files/file-none")
    assert failed["last_error"]["code"] == "invalid_file" and "file-none" in failed["last_error"]["message"]
    assert (await stores.search(store, "llama"))[0]["attributes"] == {"a": 1}


async def test_a_cancelled_batch_gives_up_what_is_not_done(stores: Asking, models: Models) -> None:
    store = await stores.store()
    done = await stores.attach(store, "A llama grazes.")
    files = [await stores.upload(f"Animal {number} sleeps.") for number in range(8)]
    path = f"{STORES}/{store}/file_batches"
    async with models.holding(EMBEDDING_MODEL):
        batch = await stores.done("POST", path, {"file_ids": files})
        await models.is_waiting.wait()
        cancelled = await stores.done("POST", f"{path}/{batch['id']}/cancel")
        assert (cancelled["status"], cancelled["file_counts"]["cancelled"]) == ("cancelled", 8)
    assert await stores.done("GET", f"{path}/{batch['id']}") == cancelled
    assert await stores.files_found(store, "animal sleeps") == [done]
    again = await stores.done("POST", f"{path}/{batch['id']}/cancel")
    assert again["status"] == "cancelled"
    await stores.refused(404, "GET", f"{path}/vsfb_none")


async def test_a_file_that_is_detached_while_it_is_ingested_never_appears(stores: Asking, models: Models) -> None:
    store = await stores.store()
    file_id = await stores.upload("A llama grazes.")
    async with models.holding(EMBEDDING_MODEL):
        await stores.done("POST", f"{STORES}/{store}/files", {"file_id": file_id})
        await models.is_waiting.wait()
        await stores.done("DELETE", f"{STORES}/{store}/files/{file_id}")
    kept = await stores.attach(store, "A llama sleeps.")
    assert await stores.files_found(store, "llama") == [kept]
    await stores.removed()


async def test_a_client_that_waits_is_told_when_to_ask_again(stores: Asking, models: Models) -> None:
    store = await stores.store()
    async with models.holding(EMBEDDING_MODEL):
        batch = await stores.done(
            "POST", f"{STORES}/{store}/file_batches", {"file_ids": [await stores.upload("A llama.")]}
        )
        await models.is_waiting.wait()
        [one] = (await stores.done("GET", f"{STORES}/{store}/files"))["data"]
        paths = [f"{STORES}/{store}/files/{one['id']}", f"{STORES}/{store}/file_batches/{batch['id']}"]
        for path in paths:
            assert int((await stores.ask("GET", path)).headers["openai-poll-after-ms"]) < 1000
    await stores.ended(store, one["id"])
    for path in paths:
        assert "openai-poll-after-ms" not in (await stores.ask("GET", path)).headers


async def test_what_a_model_refuses_fails_its_own_file_alone(stores: Asking, models: Models) -> None:
    store = await stores.store()
    good = [await stores.upload(f"Animal {number} grazes.") for number in range(5)]
    bad = await stores.upload("An unspeakable animal.")
    models.refuses = "unspeakable"
    try:
        batch = await stores.done("POST", f"{STORES}/{store}/file_batches", {"file_ids": [*good[:2], bad, *good[2:]]})
        ended = await stores.batch_ended(store, batch["id"])
    finally:
        models.refuses = None
    counts = ended["file_counts"]
    assert (ended["status"], counts["completed"], counts["failed"]) == ("completed", 5, 1)
    failed = await stores.done("GET", f"{STORES}/{store}/files/{bad}")
    assert failed["last_error"]["code"] == "invalid_file" and "not embedded" in failed["last_error"]["message"]
    assert sorted(await stores.files_found(store, "animal")) == sorted(good)


async def test_searches_find_whole_files_while_others_come_and_go(stores: Asking) -> None:
    store = await stores.store()
    always = await stores.attach(store, LONG, chunking_strategy=MANY_TOKENS)
    count = len((await stores.done("GET", f"{STORES}/{store}/files/{always}/content"))["data"])
    files = [await stores.upload(f"{LONG} {number}") for number in range(6)]
    is_done = asyncio.Event()

    async def change() -> None:
        asked = [{"file_id": one, "chunking_strategy": MANY_TOKENS} for one in files]
        batch = await stores.done("POST", f"{STORES}/{store}/file_batches", {"files": asked})
        await stores.batch_ended(store, batch["id"])
        for one in files[::2]:
            await stores.done("DELETE", f"{STORES}/{store}/files/{one}")
        is_done.set()

    async def look() -> int:
        looked = 0
        while not is_done.is_set() or looked < 3:
            mode = ("vector", "keyword", "hybrid")[looked % 3]
            found = await stores.files_found(store, "paragraph of a long text", search_mode=mode, max_num_results=50)
            assert found.count(always) <= count
            assert len(found) == min(50, len(found)) >= min(50, count)
            looked += 1
        return looked

    _, looked = await asyncio.gather(change(), look())
    assert looked >= 3
    found = await stores.files_found(store, "paragraph of a long text", max_num_results=50)
    assert set(found) <= {always, *files[1::2]} and len(found) == min(50, 4 * count)


async def test_the_chunks_of_a_file_are_not_those_that_were_inserted_under_its_id(stores: Asking) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, "A llama grazes on the meadow. " * 3000)
    await stores.insert(store, {"content": "An owl hunts.", "metadata": {"document_id": file_id}})
    await stores.reindex(store, chunking_strategy=MANY_TOKENS)  # what must be read comes after what was inserted
    content = (await stores.done("GET", f"{STORES}/{store}/files/{file_id}/content"))["data"]
    assert len(content) > 50 and all("llama" in chunk["text"] for chunk in content)


async def test_a_store_that_is_deleted_while_a_file_is_embedded_is_no_failure(
    stores: Asking, models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    store = await stores.store()
    file_id = await stores.upload("A llama grazes.")
    async with models.holding(EMBEDDING_MODEL):
        await stores.done("POST", f"{STORES}/{store}/files", {"file_id": file_id})
        await models.is_waiting.wait()
        [row] = await stores.rows.select(Select(FILES, eq("store_id", store)))
        await stores.done("DELETE", f"{STORES}/{store}")
        await stores.removed()
    jobs = stores.adapter._batches._ingestion.jobs
    async with asyncio.timeout(LIMIT_S):
        while not (job := await jobs.get(row["attachment"], user=SYSTEM)).has_ended:
            await stores.turn()
    assert (job.state, job.attempts, job.error) == ("completed", 1, None)
    assert "job failed" not in caplog.messages
