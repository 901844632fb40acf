"""A store that is indexed anew: the old index serves until the new one has everything, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runtime.access import SYSTEM
from runtime.conformance.upstream import EMBEDDING_MODEL
from runtime.providers.vector_stores.builtin.reindexing import _job_id
from tests.conformance.vector_stores.asking import LIMIT_S, Asking, asking, text_of
from tests.support.vector_stores import MANY_TOKENS, STORES
from tests.support.word_models import DIMENSION, LARGE_DIMENSION, LARGE_EMBEDDING_MODEL, Models

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG = "\n\n".join(f"Paragraph {number} is about the {word} of llamas. " * 12 for number, word in enumerate(
    ["wool", "food", "feet", "teeth", "songs", "names"]
))  # fmt: skip


async def test_another_model_takes_the_place_of_the_first(stores: Asking) -> None:
    store = await stores.store(name="animals")
    file_id = await stores.attach(store, "A llama grazes on the meadow.", attributes={"year": 2026})
    await stores.insert(store, {"content": "An owl hunts at night.", "metadata": {"document_id": "owls"}})
    before = await stores.shown(store)
    after = await stores.reindex(store, embedding_model=LARGE_EMBEDDING_MODEL)
    assert (before["embedding_model"], before["embedding_dimension"]) == (EMBEDDING_MODEL, DIMENSION)
    assert (after["embedding_model"], after["embedding_dimension"]) == (LARGE_EMBEDDING_MODEL, LARGE_DIMENSION)
    assert after["reindexing"]["status"] == "completed" and after["reindexing"]["error"] is None
    assert after["reindexing"]["file_counts"] == {
        "completed": 1, "in_progress": 0, "failed": 0, "cancelled": 0, "total": 1,
    }  # fmt: skip
    for mode in ("vector", "keyword", "hybrid"):
        [first, *_] = await stores.search(store, "llama grazes meadow", search_mode=mode)
        assert (first["file_id"], first["attributes"]) == (file_id, {"year": 2026}), mode
        [first, *_] = await stores.search(store, "owl hunts night", search_mode=mode)
        assert first["file_id"] == "owls", mode
    await stores.removed()
    assert len(await stores.indexes(store)) == 1


async def test_other_chunks_are_cut_of_the_files(stores: Asking) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, LONG)
    path = f"{STORES}/{store}/files/{file_id}"
    assert len((await stores.done("GET", f"{path}/content"))["data"]) == 1
    after = await stores.reindex(store, chunking_strategy=MANY_TOKENS)
    assert after["reindexing"]["chunking_strategy"] == MANY_TOKENS
    cut = len((await stores.done("GET", f"{path}/content"))["data"])
    assert cut >= 6
    shown = await stores.done("GET", path)
    assert (shown["chunking_strategy"], shown["report"]["chunks"], shown["status"]) == (MANY_TOKENS, cut, "completed")
    [hit, *_] = await stores.search(store, "teeth of llamas", search_mode="keyword")
    assert "teeth" in text_of(hit)


async def test_the_old_index_serves_while_everything_changes(stores: Asking, models: Models) -> None:
    store = await stores.store()
    kept = await stores.attach(store, "A llama grazes on the meadow.", attributes={"a": 1})
    gone = await stores.attach(store, "A ship sails over the ocean.")
    owl = {"content": "An owl hunts at night.", "chunk_id": "owl", "metadata": {"document_id": "d"}}
    await stores.insert(store, owl)
    async with models.holding(LARGE_EMBEDDING_MODEL):
        await stores.done("POST", f"{STORES}/{store}/reindex", {"embedding_model": LARGE_EMBEDDING_MODEL})
        await models.is_waiting.wait()
        error = await stores.refused(409, "POST", f"{STORES}/{store}/reindex", {})
        assert error["code"] == "reindexing" and store in error["message"]
        assert kept in await stores.files_found(store, "llama")
        later = await stores.attach(store, "A fox sleeps in the forest.")
        await stores.done("DELETE", f"{STORES}/{store}/files/{gone}")
        await stores.done("POST", f"{STORES}/{store}/files/{kept}", {"attributes": {"a": 2}})
        await stores.insert(store, owl | {"content": "An owl sings at noon."})
        shown = await stores.shown(store)
        assert (shown["embedding_model"], shown["reindexing"]["status"]) == (EMBEDDING_MODEL, "in_progress")
    after = await stores.reindexed(store)
    assert after["embedding_model"] == LARGE_EMBEDDING_MODEL
    assert sorted(await stores.files_found(store, "an animal")) == sorted([kept, later, "d"])
    [hit] = await stores.search(store, "owl", max_num_results=1)
    assert text_of(hit) == "An owl sings at noon."
    assert await stores.files_found(store, "llama", filters={"type": "eq", "key": "a", "value": 2}) == [kept]


async def test_a_file_that_cannot_be_indexed_leaves_the_old_index(stores: Asking, models: Models) -> None:
    store = await stores.store()
    await stores.attach(store, "A llama grazes.", "llama.txt")
    file_id = await stores.attach(store, "An unspeakable thing.", "thing.txt")
    models.refuses = "unspeakable"
    try:
        after = await stores.reindex(store, embedding_model=LARGE_EMBEDDING_MODEL)
    finally:
        models.refuses = None
    assert after["reindexing"]["status"] == "failed"
    error = after["reindexing"]["error"]
    assert file_id in error and "thing.txt" in error and "This text is not embedded" in error
    assert after["embedding_model"] == EMBEDDING_MODEL
    assert len(await stores.search(store, "llama thing")) == 2
    await stores.removed()
    assert len(await stores.indexes(store)) == 1
    again = await stores.reindex(store, embedding_model=LARGE_EMBEDDING_MODEL)
    assert again["reindexing"]["status"] == "completed"


async def test_a_file_that_is_no_longer_stored_stays_as_it_was_cut(stores: Asking) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, LONG)
    await stores.done("DELETE", f"/v1/files/{file_id}")
    after = await stores.reindex(store, embedding_model=LARGE_EMBEDDING_MODEL, chunking_strategy=MANY_TOKENS)
    assert after["reindexing"]["status"] == "completed"
    shown = await stores.done("GET", f"{STORES}/{store}/files/{file_id}")
    assert shown["chunking_strategy"]["static"]["max_chunk_size_tokens"] == 800
    assert any("no longer stored" in why for why in shown["report"]["why"])
    assert await stores.files_found(store, "songs of llamas") == [file_id]


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"embedding_model": "none-such"}, 400, "unknown_embedding_model"),
        ({"embedding_model": "small-chat"}, 400, "model_type_mismatch"),
        ({"embedding_dimension": 7}, 400, "dimension_mismatch"),
        ({"provider_id": "elsewhere"}, 400, "unknown_provider"),
    ],
)
async def test_what_cannot_be_done_is_refused_at_once(
    stores: Asking, asked: dict[str, Any], status: int, code: str | None
) -> None:
    store = await stores.store()
    error = await stores.refused(status, "POST", f"{STORES}/{store}/reindex", asked)
    assert error["code"] == code and error["param"] == next(iter(asked))
    assert (await stores.shown(store))["reindexing"] is None


async def test_a_store_that_is_deleted_meanwhile_is_no_failure(
    stores: Asking, models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    store = await stores.store()
    await stores.attach(store, "A llama grazes.")
    async with models.holding(LARGE_EMBEDDING_MODEL):
        await stores.done("POST", f"{STORES}/{store}/reindex", {"embedding_model": LARGE_EMBEDDING_MODEL})
        await models.is_waiting.wait()
        [index] = [row["number"] for row in await stores.indexes(store) if row["state"] == "building"]
        await stores.done("DELETE", f"{STORES}/{store}")
        await stores.removed()
    jobs = stores.adapter._reindexings._jobs
    async with asyncio.timeout(LIMIT_S):
        while not (job := await jobs.get(_job_id(index), user=SYSTEM)).has_ended:
            await stores.turn()
    assert (job.state, job.attempts, job.error) == ("completed", 1, None)
    assert "job failed" not in caplog.messages


async def test_it_goes_on_after_a_restart(vector_io: Mapping[str, Any], models: Models, tmp_path: Path) -> None:
    async with asking(vector_io, models, tmp_path, persistent=True) as first:
        store = await first.store()
        files = [await first.attach(store, f"Animal number {number} grazes.") for number in range(6)]
        async with models.holding(LARGE_EMBEDDING_MODEL):
            await first.done("POST", f"{STORES}/{store}/reindex", {"embedding_model": LARGE_EMBEDDING_MODEL})
            await models.is_waiting.wait()
            await first.served.stack.close()
    async with asking(vector_io, models, tmp_path, persistent=True) as second:
        after = await second.reindexed(store)
        assert after["reindexing"]["status"] == "completed" and after["embedding_model"] == LARGE_EMBEDDING_MODEL
        assert sorted(await second.files_found(store, "animal")) == sorted(files)


async def test_one_that_is_deleted_while_it_begins_is_not_there(
    stores: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await stores.store()
    copying = stores.adapter._reindexings._copying
    difference = copying.difference

    async def late(*indexes: Any) -> Any:
        await stores.done("DELETE", f"{STORES}/{store}")
        return await difference(*indexes)

    monkeypatch.setattr(copying, "difference", late)
    error = await stores.refused(404, "POST", f"{STORES}/{store}/reindex", {})
    assert error["param"] == "vector_store_id"
    await stores.removed()
    assert await stores.indexes(store) == []
