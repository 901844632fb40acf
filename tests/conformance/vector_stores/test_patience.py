"""Files wait: for a database that is down, also while the server is started again, but not for ever; and for memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from runtime.access import SYSTEM
from runtime.conformance.upstream import CHAT_MODEL
from runtime.errors import Unavailable
from runtime.providers.vector_stores.builtin.embedding import TextEmbedder
from runtime.providers.vector_stores.builtin.index_vectors import IndexVectors
from runtime.providers.vector_stores.builtin.patience import LATER_S
from runtime.providers.vector_stores.builtin.reading import ReadFile, Reading
from runtime.providers.vector_stores.builtin.tables import FILES, file_key
from runtime.storage.jobs import Job
from runtime.storage.sql import Select, eq
from tests.conformance.vector_stores.asking import LIMIT_S, Asking, asking
from tests.support.vector_stores import MANY_TOKENS, STORES
from tests.support.word_models import Models

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANY_DATABASE = True
REASON = "the database is being started again"


class Outage:
    """While it lasts, no vectors are written or read. met: how often that was wanted."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.lasts = True
        self.met = 0
        for name in ("put", "read"):
            patched.setattr(IndexVectors, name, self._unless_down(getattr(IndexVectors, name)))

    def _unless_down(self, call: Any) -> Any:
        async def called(*facts: Any) -> Any:
            if self.lasts:
                self.met += 1
                raise Unavailable(REASON)
            return await call(*facts)

        return called


@pytest.fixture
def outage() -> Iterator[Outage]:
    with pytest.MonkeyPatch.context() as patched:
        yield Outage(patched)


class Clock:
    """What jobs read, which goes on faster than time does, and never back."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s

    async def job(self, stores: Asking, store: str, file_id: str, *, postponed: int) -> Job:
        """The job of a file, once it has ended or was postponed so often."""
        jobs = stores.adapter._attached._ingestion.jobs
        jobs._runner.clock = self
        [row] = await stores.rows.select(Select(FILES, eq("id", file_key(store, file_id))))
        async with asyncio.timeout(LIMIT_S):
            while True:
                job = await jobs.get(row["attachment"], user=SYSTEM)
                times = (job.progress or {"postponed": 0})["postponed"]
                if job.has_ended or (job.state == "queued" and times >= postponed):
                    return job
                if job.state == "queued" and times:
                    self.ahead_s += LATER_S[times - 1]
                    jobs._runner.wake()
                await stores.turn()


CLOCK = Clock()


async def test_a_file_is_ingested_when_its_database_is_back_and_embedded_only_then_again(
    stores: Asking, outage: Outage, models: Models
) -> None:
    store = await stores.store()
    file_id = await stores.upload("A llama that waits for its database.")
    sizes = {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0, "model_id": CHAT_MODEL}
    how = {"type": "contextual", "contextual": sizes}
    await stores.done("POST", f"{STORES}/{store}/files", {"file_id": file_id, "chunking_strategy": how})
    waiting = await CLOCK.job(stores, store, file_id, postponed=7)
    assert (waiting.state, waiting.attempts, outage.met) == ("queued", 0, 7)
    assert waiting.error is not None and waiting.error["message"] == REASON
    assert (await stores.done("GET", f"{STORES}/{store}/files/{file_id}"))["status"] == "in_progress"
    outage.lasts = False
    job = await CLOCK.job(stores, store, file_id, postponed=99)
    assert (job.state, job.attempts) == ("completed", 1)
    assert (await stores.ended(store, file_id))["status"] == "completed"
    assert await stores.files_found(store, "llama") == [file_id]
    assert sum("waits for its database" in prompt for prompt in models.prompts()) == 2


async def test_a_file_waits_through_a_restart_of_the_server(
    vector_io: Mapping[str, Any], models: Models, tmp_path: Path, outage: Outage
) -> None:
    async with asking(vector_io, models, tmp_path, persistent=True) as first:
        store = await first.store()
        file_id = await first.upload("A llama grazes.")
        await first.done("POST", f"{STORES}/{store}/files", {"file_id": file_id})
        assert (await CLOCK.job(first, store, file_id, postponed=4)).state == "queued"
    async with asking(vector_io, models, tmp_path, persistent=True) as second:
        waiting = await CLOCK.job(second, store, file_id, postponed=6)
        assert (waiting.state, waiting.progress) == ("queued", {"postponed": 6})
        outage.lasts = False
        assert (await CLOCK.job(second, store, file_id, postponed=99)).state == "completed"
        assert await second.files_found(store, "llama") == [file_id]


async def test_a_database_that_does_not_come_back_is_the_reason_of_a_failure(stores: Asking, outage: Outage) -> None:
    store = await stores.store()
    file_id = await stores.upload("A llama grazes.")
    await stores.done("POST", f"{STORES}/{store}/files", {"file_id": file_id})
    await CLOCK.job(stores, store, file_id, postponed=99)
    failed = await stores.ended(store, file_id)
    assert failed["status"] == "failed"
    assert failed["last_error"] == {"code": "server_error", "message": REASON}
    assert outage.met == 1 + len(LATER_S)
    assert 300 < sum(LATER_S) < 1800  # a database is started again within minutes


async def test_a_store_is_indexed_anew_when_its_database_is_back(stores: Asking) -> None:
    store = await stores.store()
    file_id = await stores.attach(store, "A llama grazes. " * 200)
    with pytest.MonkeyPatch.context() as patched:
        outage = Outage(patched)
        await stores.done("POST", f"{STORES}/{store}/reindex", {"chunking_strategy": MANY_TOKENS})
        jobs = stores.adapter._reindexings._jobs
        jobs._runner.clock = CLOCK
        async with asyncio.timeout(LIMIT_S):
            while (await stores.shown(store))["reindexing"]["status"] == "in_progress":
                if outage.met >= 6:
                    outage.lasts = False
                CLOCK.ahead_s += 1
                jobs._runner.wake()
                await stores.turn()
    assert (await stores.shown(store))["reindexing"]["status"] == "completed"
    assert set(await stores.files_found(store, "llama", max_num_results=50)) == {file_id}


async def test_vectors_that_are_lost_are_not_waited_for(stores: Asking) -> None:
    """They come back by `reindex` alone."""
    store = await stores.store()
    [index] = await stores.indexes(store)
    await stores.adapter._contents._vectors.drop(index["provider_id"], index["collection"])
    file_id = await stores.upload("A llama grazes.")
    await stores.done("POST", f"{STORES}/{store}/files", {"file_id": file_id})
    failed = await stores.ended(store, file_id)
    assert failed["status"] == "failed" and "reindex" in failed["last_error"]["message"]


async def test_files_that_do_not_fit_into_memory_together_are_read_in_turn(
    vector_io: Mapping[str, Any], models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, now, most = Reading.read, 0, 0

    async def counted(self: Reading, *given: Any) -> ReadFile:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        try:
            return await read(self, *given)
        finally:
            now -= 1

    monkeypatch.setattr(Reading, "read", counted)
    async with asking(vector_io, models, tmp_path, file_batch_params={"max_bytes_at_once": 1}) as stores:
        store = await stores.store()
        ids = [await stores.upload(f"Animal {number} grazes.") for number in range(4)]
        batch = await stores.done("POST", f"{STORES}/{store}/file_batches", {"file_ids": ids})
        assert (await stores.batch_ended(store, batch["id"]))["file_counts"]["completed"] == 4
        assert {*await stores.files_found(store, "animal")} == {*ids}
    assert most == 1


async def test_a_large_file_alone_keeps_the_model_busy_and_is_whole(
    stores: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed, now, most = TextEmbedder.passages, 0, 0

    async def counted(self: TextEmbedder, texts: Sequence[str], *given: Any) -> bytes:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        try:
            return await embed(self, texts, *given)
        finally:
            now -= 1

    monkeypatch.setattr(TextEmbedder, "passages", counted)
    store = await stores.store()
    text = "\n\n".join(f"Part {number} of this text is about animal{number}. " * 8 for number in range(600))
    file_id = await stores.attach(store, text, chunking_strategy=MANY_TOKENS)
    assert most == 2
    report = (await stores.done("GET", f"{STORES}/{store}/files/{file_id}"))["report"]
    assert report["chunks"] > 512
    for number in (0, 63, 64, 511, 512, 599):
        [hit] = await stores.query(store, f"animal{number}", mode="vector", max_chunks=1)
        assert f"animal{number}." in hit["content"], "each vector is its own chunk's"


async def test_a_database_that_is_down_is_not_asked_again_after_each_change(
    stores: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hangs would be waited for each time."""
    met = 0

    async def down(*_: object) -> None:
        nonlocal met
        met += 1
        raise Unavailable(REASON)

    store = await stores.store()
    removing = stores.adapter._removing
    with monkeypatch.context() as patched:
        patched.setattr(IndexVectors, "remove_groups", down)
        for number in range(6):
            await stores.insert(store, {"content": f"llama {number}", "chunk_id": "the same"})
            async with asyncio.timeout(LIMIT_S):
                while removing._is_wanted or removing._lock.locked():
                    await stores.turn()
        assert met == 1
        await removing.now()
        assert met == 2, "it is asked again in time"
    await stores.removed()


async def test_a_caller_s_own_key_reaches_the_model_also_in_the_background(stores: Asking, models: Models) -> None:
    def keys(word: str) -> set[str | None]:
        return {call.headers.get("authorization") for call in models.calls("/embeddings") if word in str(call.json())}

    store = await stores.store()

    async def insert(name: str, **facts: Any) -> None:
        body = {"vector_store_id": store, "chunks": [{"content": f"of {name}"}]}
        await stores.done("POST", "/v1/vector-io/insert", body, **facts)

    def with_key(name: str) -> dict[str, Any]:
        return {"headers": {"x-llamastack-provider-data": f'{{"vllm_api_key": "sk-{name}", "other": 1}}'}}

    names = ["anna", "berta", "carla"]
    await asyncio.gather(*(insert(name, **with_key(name)) for name in names), insert("nobody"))
    assert [keys(f"of {name}") for name in names] == [{f"Bearer sk-{name}"} for name in names]
    assert keys("of nobody") == {"Bearer sk-configured-secret"}
    file_id = await stores.upload("A llama of dora.")
    await stores.done("POST", f"{STORES}/{store}/files", {"file_id": file_id}, **with_key("dora"))
    assert (await stores.ended(store, file_id))["status"] == "completed"
    assert keys("of dora") == {"Bearer sk-dora"}
    assert stores.adapter._attached._ingestion._carried._kept == {}
    await stores.done("POST", f"{STORES}/{store}/reindex", {"chunking_strategy": MANY_TOKENS}, **with_key("emma"))
    assert (await stores.reindexed(store))["reindexing"]["status"] == "completed"
    assert keys("of dora") == {"Bearer sk-dora", "Bearer sk-emma"}
