"""Vector stores in a server of their own, driven by OpenAI's client through all that it offers for them.

The vectors of the vendor mean nothing, so texts are found by their words; by vectors they are only counted.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import VectorStore

from runtime.conformance.upstream import EMBEDDING_MODEL, upstream_server
from tests.support.server_process import running_server
from tests.support.stacks import openai_at

pytestmark = pytest.mark.e2e

BY_WORDS = {"search_mode": "keyword"}


async def test_openai_s_client_has_all_that_it_offers(tmp_path: Path) -> None:
    async with upstream_server() as vendor:
        providers = {
            "inference": [openai_at(vendor.url)],
            "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
            "file_processors": [{"provider_id": "auto", "provider_type": "inline::auto"}],
            "vector_io": [{"provider_id": "faiss", "provider_type": "inline::faiss"}],
        }
        run = {"version": 2, "distro_name": "stores", "providers": providers}
        async with running_server(run, tmp_path, said="serving") as server:
            client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=60)
            await asyncio.to_thread(drive, client)


def drive(client: openai.OpenAI) -> None:
    """Every method of `vector_stores`, of its files and of its batches; nothing is left afterwards."""
    store = drive_stores(client)
    llama = drive_files(client, store)
    drive_batches(client, store)
    drive_search(client, store, llama)
    drive_errors(client, store)
    for file in client.files.list():
        assert client.files.delete(file.id).deleted
    assert client.vector_stores.delete(store.id).deleted
    with pytest.raises(openai.NotFoundError, match=store.id):
        client.vector_stores.retrieve(store.id)
    assert not list(client.vector_stores.list())


def drive_stores(client: openai.OpenAI) -> VectorStore:
    stores = client.vector_stores
    made = [
        stores.create(
            name=f"store {number}",
            description="animals",
            metadata={"number": str(number)},
            expires_after={"anchor": "last_active_at", "days": 7},
            extra_body={"embedding_model": f"vendor/{EMBEDDING_MODEL}"},
        )
        for number in range(5)
    ]
    first = made[0]
    assert (first.object, first.name, first.status, first.usage_bytes) == ("vector_store", "store 0", "completed", 0)
    assert first.file_counts.total == 0 and first.expires_at == first.last_active_at + 7 * 86_400  # type: ignore[operator]
    # The client turns the pages.
    assert [store.id for store in stores.list(limit=2)] == [store.id for store in reversed(made)]
    assert [store.id for store in stores.list(limit=2, order="asc", after=first.id)] == [each.id for each in made[1:]]
    assert [store.id for store in stores.list(before=made[2].id).data] == [made[4].id, made[3].id]
    changed = stores.update(first.id, name="animals", metadata={"a": "b"}, expires_after=None)
    assert (changed.name, changed.metadata, changed.expires_after) == ("animals", {"a": "b"}, None)
    assert stores.retrieve(first.id) == changed
    for store in made[1:]:
        assert stores.delete(store.id).id == store.id
    assert [store.id for store in stores.list()] == [first.id]
    return first


def drive_files(client: openai.OpenAI, store: VectorStore) -> str:
    """Returns the id of the one that is about llamas."""
    files, waiting = client.vector_stores.files, {"poll_interval_ms": 50}
    uploaded = client.files.create(file=("llama.md", text_of("llama")), purpose="assistants")
    llama = files.create_and_poll(
        uploaded.id, vector_store_id=store.id, attributes={"legs": 4, "wild": False, "from": "Peru"}, **waiting
    )
    assert (llama.id, llama.status, llama.object) == (uploaded.id, "completed", "vector_store.file")
    assert llama.usage_bytes > 0 and llama.vector_store_id == store.id and llama.last_error is None
    cut: Any = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}
    alpaca = files.upload_and_poll(
        vector_store_id=store.id, file=("alpaca.md", text_of("alpaca") * 40), chunking_strategy=cut
    )
    assert alpaca.status == "completed" and alpaca.chunking_strategy and alpaca.chunking_strategy.model_dump() == cut
    said = [part.text or "" for part in files.content(alpaca.id, vector_store_id=store.id)]
    assert len(said) > 3 and all("alpaca" in text for text in said)
    guanaco = files.poll(files.upload(vector_store_id=store.id, file=("g.txt", text_of("guanaco"))).id,
                         vector_store_id=store.id, **waiting)  # fmt: skip
    assert [file.id for file in files.list(store.id, limit=1)] == [guanaco.id, alpaca.id, llama.id]
    assert [file.id for file in files.list(store.id, filter="completed", order="asc", limit=2)] == [
        llama.id, alpaca.id, guanaco.id,
    ]  # fmt: skip
    assert list(files.list(store.id, filter="failed")) == []
    assert files.delete(guanaco.id, vector_store_id=store.id).deleted
    with pytest.raises(openai.NotFoundError, match=guanaco.id):
        files.retrieve(guanaco.id, vector_store_id=store.id)
    assert client.files.retrieve(guanaco.id).filename == "g.txt", "only its chunks are gone"
    counts = client.vector_stores.retrieve(store.id).file_counts
    assert (counts.completed, counts.total) == (2, 2)
    return llama.id


def drive_batches(client: openai.OpenAI, store: VectorStore) -> None:
    batches = client.vector_stores.file_batches
    ids = [
        client.files.create(file=(f"{name}.txt", text_of(name)), purpose="assistants").id
        for name in ("vicuna", "camel")
    ]
    batch = batches.create_and_poll(store.id, file_ids=ids, attributes={"wild": True}, poll_interval_ms=50)
    assert (batch.object, batch.status) == ("vector_store.files_batch", "completed")
    assert (batch.file_counts.completed, batch.file_counts.failed, batch.file_counts.total) == (2, 0, 2)
    assert batches.retrieve(batch.id, vector_store_id=store.id) == batch
    listed = list(batches.list_files(batch.id, vector_store_id=store.id, limit=1))
    assert {file.id for file in listed} == set(ids) and {str(file.attributes) for file in listed} == {"{'wild': True}"}
    several = batches.upload_and_poll(
        store.id, files=[(f"{name}.txt", text_of(name)) for name in ("cat", "dog")], max_concurrency=2
    )
    assert several.file_counts.completed == 2
    mixed = batches.create(store.id, files=[{"file_id": ids[0], "attributes": {"wild": False}}, {"file_id": "file-no"}])
    done = batches.poll(mixed.id, vector_store_id=store.id, poll_interval_ms=50)
    assert (done.file_counts.completed, done.file_counts.failed) == (1, 1)
    [failed] = batches.list_files(mixed.id, vector_store_id=store.id, filter="failed")
    assert failed.last_error and "file-no" in failed.last_error.message
    assert batches.cancel(mixed.id, vector_store_id=store.id).status in ("completed", "cancelled")


def drive_search(client: openai.OpenAI, store: VectorStore, llama: str) -> None:
    def names(**fields: Any) -> list[str]:
        return [hit.filename for hit in client.vector_stores.search(store.id, **fields)]

    hits = client.vector_stores.search(store.id, query="Where do llamas graze?", max_num_results=3, extra_body=BY_WORDS)
    assert hits.data[0].filename == "llama.md" and hits.data[0].file_id == llama and 0 < hits.data[0].score <= 1
    assert hits.data[0].attributes == {"legs": 4, "wild": False, "from": "Peru"}
    assert "llama" in hits.data[0].content[0].text
    assert len(names(query="anything", max_num_results=5)) == 5
    both = ["llamas", "camels"]
    assert set(names(query=both, max_num_results=2, extra_body=BY_WORDS)) == {"llama.md", "camel.txt"}
    wild: Any = {"type": "eq", "key": "wild", "value": True}
    peru: Any = {"type": "or", "filters": [wild, {"type": "in", "key": "from", "value": ["Peru", "Chile"]}]}
    assert set(names(query="graze", filters=wild, extra_body={"search_mode": "hybrid"})) == {"camel.txt"}
    assert set(names(query="graze", filters=peru)) == {"camel.txt", "llama.md"}
    # Attributes that change count in the next search.
    updated = client.vector_stores.files.update(llama, vector_store_id=store.id, attributes={"wild": True})
    assert updated.attributes == {"wild": True}
    assert set(names(query="graze", filters=wild)) == {"camel.txt", "llama.md"}
    ranking: Any = {"ranker": "auto", "score_threshold": 0.999}
    assert names(query="llamas graze", ranking_options=ranking, extra_body=BY_WORDS) == []


def drive_errors(client: openai.OpenAI, store: VectorStore) -> None:
    with pytest.raises(openai.NotFoundError, match="vs_nothing"):
        client.vector_stores.search("vs_nothing", query="x")
    with pytest.raises(openai.NotFoundError, match="file-nothing"):
        client.vector_stores.files.create(store.id, file_id="file-nothing")
    for wrong in ({"query": ""}, {"query": "x", "max_num_results": 51}, {"query": "x", "filters": {"type": "like"}}):
        with pytest.raises(openai.BadRequestError) as caught:
            client.vector_stores.search(store.id, **wrong)  # type: ignore[arg-type]
        assert caught.value.param and caught.value.param.split(".")[0] in wrong
    with pytest.raises(openai.BadRequestError):
        client.vector_stores.list(after="vs_nothing")


def text_of(animal: str) -> bytes:
    return (
        f"# The {animal}\n\nA {animal} grazes on the heights and drinks little. Every {animal} has a herd.\n\n".encode()
    )
