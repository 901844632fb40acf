"""Files that are attached again: found as they were until that has succeeded, and each batch knows its own attempt."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.conformance.upstream import EMBEDDING_MODEL
from tests.conformance.vector_stores.asking import Asking
from tests.support.vector_stores import MANY_TOKENS, STORES
from tests.support.word_models import Models

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANY_DATABASE = True
LONG = "\n\n".join(f"Paragraph {number} of a long text. " * 15 for number in range(8))
WHOLE = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}
LISTED = ("status", "usage_bytes", "attributes", "chunking_strategy", "report")


async def batch_of(stores: Asking, store: str, *file_ids: str, **facts: Any) -> str:
    """A new batch of files; its path."""
    body = {"files": [{"file_id": one, **facts} for one in file_ids]}
    made = await stores.done("POST", f"{STORES}/{store}/file_batches", body)
    return f"{STORES}/{store}/file_batches/{made['id']}"


async def ended(stores: Asking, path: str) -> Any:
    return await stores.batch_ended(*path.removeprefix(f"{STORES}/").split("/file_batches/"))


async def states(stores: Asking, batch: str) -> dict[str, tuple[str, bool]]:
    """How a batch lists its files: the status, and whether there is an error."""
    files = (await stores.done("GET", f"{batch}/files"))["data"]
    return {one["id"]: (one["status"], one["last_error"] is not None) for one in files}


async def kept(stores: Asking, store: str, file_id: str) -> dict[str, Any]:
    """What a store says of a file, and what searches find of it."""
    shown = await stores.done("GET", f"{STORES}/{store}/files/{file_id}")
    hits = await stores.search(store, "long text", max_num_results=50)
    whole = await stores.shown(store)
    found = [(hit["file_id"], hit["attributes"], hit["content"][0]["text"]) for hit in hits]
    own = {name: shown[name] for name in LISTED}
    return {**own, "counts": whole["file_counts"], "usage": whole["usage_bytes"], "found": found}


async def test_a_new_attempt_that_is_cancelled_leaves_the_file_as_it_was(stores: Asking, models: Models) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, LONG, attributes={"a": 1})
    before = await kept(stores, store, file_id)
    async with models.holding(EMBEDDING_MODEL):
        batch = await batch_of(stores, store, file_id, attributes={"a": 2}, chunking_strategy=MANY_TOKENS)
        await models.is_waiting.wait()
        shown = await stores.shown(store)
        assert (shown["status"], shown["usage_bytes"]) == ("in_progress", before["usage"])
        cancelled = await stores.done("POST", f"{batch}/cancel")
    assert (cancelled["status"], cancelled["file_counts"]["cancelled"]) == ("cancelled", 1)
    assert await kept(stores, store, file_id) == before
    assert (await stores.ended(store, file_id))["last_error"] is None
    assert await states(stores, batch) == {file_id: ("cancelled", False)}


async def test_a_new_attempt_that_fails_leaves_the_file_as_it_was_and_says_why(stores: Asking, models: Models) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, LONG, attributes={"a": 1})
    before = await kept(stores, store, file_id)
    models.refuses = "Paragraph"
    try:
        batch = await batch_of(stores, store, file_id, attributes={"a": 2}, chunking_strategy=MANY_TOKENS)
        assert (await ended(stores, batch))["status"] == "failed"
    finally:
        models.refuses = None
    assert await kept(stores, store, file_id) == before
    assert "not embedded" in (await stores.ended(store, file_id))["last_error"]["message"]
    assert await states(stores, batch) == {file_id: ("failed", True)}
    await stores.reindex(store, chunking_strategy=MANY_TOKENS)  # it is still a file, which can be cut
    after = await kept(stores, store, file_id)
    assert after["chunking_strategy"] == MANY_TOKENS and len(after["found"]) > len(before["found"])
    [one] = (await stores.done("GET", f"{STORES}/{store}/files"))["data"]
    await stores.done("POST", f"{STORES}/{store}/files", {"file_id": file_id, "chunking_strategy": WHOLE})
    assert (await stores.ended(store, one["id"]))["last_error"] is None


async def test_attributes_that_change_during_a_new_attempt_stay_when_it_fails(stores: Asking, models: Models) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, LONG, attributes={"a": 1})
    async with models.holding(EMBEDDING_MODEL):
        batch = await batch_of(stores, store, file_id, attributes={"a": 2})
        await models.is_waiting.wait()
        await stores.done("POST", f"{STORES}/{store}/files/{file_id}", {"attributes": {"a": 3}})
        await stores.done("POST", f"{batch}/cancel")
    after = await kept(stores, store, file_id)
    assert after["attributes"] == {"a": 3} and {one[1]["a"] for one in after["found"]} == {3}


async def test_a_file_that_is_no_longer_stored_fails_in_its_batch_and_stays_in_the_store(stores: Asking) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, LONG)
    before = await kept(stores, store, file_id)
    await stores.done("DELETE", f"/v1/files/{file_id}")
    batch = await batch_of(stores, store, file_id)
    shown = await ended(stores, batch)
    assert (shown["status"], shown["file_counts"]["failed"]) == ("failed", 1)
    assert await kept(stores, store, file_id) == before
    assert file_id in (await stores.ended(store, file_id))["last_error"]["message"]


async def test_each_batch_counts_and_lists_its_own_attempts(stores: Asking, models: Models) -> None:
    store = await stores.store()
    files = [await stores.upload(f"{LONG} {number}") for number in range(4)]
    first = await batch_of(stores, store, *files[:3])
    assert (await ended(stores, first))["file_counts"]["completed"] == 3
    second = await batch_of(stores, store, *files[1:])
    assert (await ended(stores, second))["file_counts"]["completed"] == 3
    models.refuses = "Paragraph"
    try:
        third = await batch_of(stores, store, *files[2:])
        assert (await ended(stores, third))["status"] == "failed"
    finally:
        models.refuses = None
    for batch, own in ((first, files[:3]), (second, files[1:])):
        shown = await stores.done("GET", batch)
        counts = shown["file_counts"]
        assert (shown["status"], counts["completed"], counts["total"]) == ("completed", 3, 3)
        assert await states(stores, batch) == dict.fromkeys(own, ("completed", False))
    assert await states(stores, third) == dict.fromkeys(files[2:], ("failed", True))
    page = await stores.done("GET", f"{first}/files?order=asc&limit=2")
    assert [one["id"] for one in page["data"]] == files[:2] and page["has_more"]
    rest = await stores.done("GET", f"{first}/files?order=asc&after={page['last_id']}")
    assert [one["id"] for one in rest["data"]] == files[2:3] and not rest["has_more"]
    assert (await stores.done("GET", f"{third}/files?filter=completed"))["data"] == []
    error = await stores.refused(400, "GET", f"{first}/files?after={files[3]}")  # it is of another batch
    assert (error["code"], error["param"]) == ("invalid_cursor", "after")
    assert (await stores.shown(store))["file_counts"]["total"] == 4
    await stores.done("DELETE", f"{STORES}/{store}/files/{files[0]}")
    assert (await stores.done("GET", first))["file_counts"]["total"] == 2
    assert files[0] not in await states(stores, first)


async def test_a_batch_whose_file_is_attached_again_meanwhile_has_given_it_up(stores: Asking, models: Models) -> None:
    store = await stores.store()
    file_id = await stores.upload(LONG)
    async with models.holding(EMBEDDING_MODEL):
        first = await batch_of(stores, store, file_id, attributes={"a": 1})
        await models.is_waiting.wait()
        await stores.done("POST", f"{STORES}/{store}/files", {"file_id": file_id, "attributes": {"a": 2}})
        shown = await stores.done("GET", first)
    assert (shown["status"], shown["file_counts"]["cancelled"]) == ("cancelled", 1)
    assert (await stores.ended(store, file_id))["attributes"] == {"a": 2}
    assert await states(stores, first) == {file_id: ("cancelled", False)}
