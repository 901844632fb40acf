"""Documents that are processed in the background: over restarts, for their owners, until they are cancelled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.asgi import Client
from runtime.conformance.form import HEADERS, field, file, form
from runtime.conformance.stacks import run_config, serving
from runtime.providers.file_processors._service.parts import PART_BYTES, Parts
from runtime.storage.kv import Namespaced, open_kv
from runtime.storage.kv.memory import MemoryKeyValueStore
from runtime.storage.sqlite.config import SqliteKeyValueConfig
from tests.support import documents

PATH = "/v1alpha/file-processors/jobs"
LIMIT_S = 60
LONG = documents.pdf([[(12, f"Line {line} of page {page}.") for line in range(50)] for page in range(400)])
"""Takes some seconds."""


@asynccontextmanager
async def server(folder: Path, **config: Any) -> AsyncIterator[Client]:
    """With its state in a folder, which the next one finds."""
    providers: dict[str, Any] = {
        "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        "file_processors": [
            {"provider_id": "auto", "provider_type": "inline::auto", "config": {"workers": 1, **config}}
        ],
    }
    async with serving(run_config(persistent=True, providers=providers), folder) as running:
        yield running.client


async def created(client: Client, *parts: tuple[str, bytes]) -> str:
    answered = await client.post(PATH, headers=HEADERS, body=form(*parts))
    assert answered.status == 200, answered.body
    job = answered.json()
    assert job == {**job, "status": "scheduled", "result": None, "error": None}
    found: str = job["job_id"]
    return found


async def shown(client: Client, job_id: str) -> Any:
    answered = await client.get(f"{PATH}/{job_id}")
    assert answered.status == 200, answered.body
    return answered.json()


async def until(client: Client, job_id: str, *statuses: str) -> Any:
    """The job, once it has one of these."""
    async with asyncio.timeout(LIMIT_S):
        while (job := await shown(client, job_id))["status"] not in statuses:
            await asyncio.sleep(0)
        return job


async def ended(client: Client, job_id: str) -> Any:
    return await until(client, job_id, "completed", "failed", "cancelled")


async def left(folder: Path, what: str) -> list[str]:
    """The names of what is kept on the disk. what: `document` or `result`."""
    store = Namespaced(open_kv(SqliteKeyValueConfig(), folder), "file_processing", owner=True)
    found = await store.scan(f"{what}:")
    await store.close()
    return [name for name, _ in found]


async def test_a_job_has_the_same_result_as_a_request_that_waits(tmp_path: Path) -> None:
    strategy = field(
        "chunking_strategy", '{"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}'
    )
    content = b"Llamas graze on the hill. " * 60
    async with server(tmp_path) as client:
        job = await ended(client, await created(client, strategy, file(content, filename="hill.txt")))
        waited = await client.post(PATH.replace("jobs", "process"), headers=HEADERS, body=form(strategy, file(content)))
        assert job["status"] == "completed" and job["error"] is None
        texts = [chunk["content"] for chunk in job["result"]["chunks"]]
        assert texts == [chunk["content"] for chunk in waited.json()["chunks"]] and len(texts) > 3
        assert job["result"]["chunks"][0]["metadata"]["filename"] == "hill.txt"
        assert job["result"]["metadata"]["file_size_bytes"] == len(content)


async def test_a_document_of_many_parts_comes_back_whole(tmp_path: Path) -> None:
    words = b"".join(b"Llama %d grazes. " % number for number in range(100_000))
    assert len(words) > 3 * PART_BYTES
    async with server(tmp_path) as client:
        job = await ended(client, await created(client, file(words)))
        [chunk] = job["result"]["chunks"]
        assert chunk["content"].encode() == words.strip()
    assert await left(tmp_path, "document") == [] and len(await left(tmp_path, "result")) > 3


async def test_a_stored_file_is_processed_by_its_id(tmp_path: Path) -> None:
    async with server(tmp_path) as client:
        body = form(field("purpose", "assistants"), file(b"# Llamas", filename="notes.md"))
        file_id = (await client.post("/v1/files", headers=HEADERS, body=body)).json()["id"]
        job = await ended(client, await created(client, field("file_id", file_id)))
        assert job["result"]["chunks"][0]["metadata"]["file_id"] == file_id


async def test_a_document_that_cannot_be_read_fails_with_its_reason_and_is_not_kept(tmp_path: Path) -> None:
    async with server(tmp_path) as client:
        job = await ended(client, await created(client, file(b"%PDF-1.7\nthe words of a broken document")))
        assert job["status"] == "failed" and "The PDF cannot be read" in job["error"] and job["result"] is None
    assert await left(tmp_path, "document") == []


async def test_a_job_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with server(tmp_path) as client:
        job_id = await created(client, field("options", '{"page_range": "1-3"}'), file(LONG))
        await until(client, job_id, "in_progress")
    async with server(tmp_path) as client:
        job = await ended(client, job_id)
        assert job["status"] == "completed"
        assert job["result"]["chunks"][0]["content"].endswith("Line 49 of page 2.")
    async with server(tmp_path) as client:
        assert (await shown(client, job_id))["result"] == job["result"]


async def test_a_job_can_be_cancelled_while_it_waits_and_while_it_runs(tmp_path: Path) -> None:
    async with server(tmp_path) as client:
        first, second = await created(client, file(LONG)), await created(client, file(LONG))
        await until(client, first, "in_progress")
        waiting = (await client.post(f"{PATH}/{second}/cancel")).json()
        assert waiting["status"] == "cancelled"
        await client.post(f"{PATH}/{first}/cancel")
        assert (await ended(client, first))["status"] == "cancelled"
        after = await ended(client, await created(client, file(b"Still here.")))
        assert after["result"]["chunks"][0]["content"] == "Still here."
        again = (await client.post(f"{PATH}/{after['job_id']}/cancel")).json()
        assert again["status"] == "completed", "what has ended stays as it is"
    assert await left(tmp_path, "document") == []


async def test_jobs_are_listed_page_by_page_without_their_results(tmp_path: Path) -> None:
    async with server(tmp_path) as client:
        made = [await created(client, file(b"Llama %d." % number)) for number in range(5)]
        for job_id in made:
            await ended(client, job_id)
        first = (await client.get(f"{PATH}?limit=3")).json()
        assert [job["job_id"] for job in first["data"]] == made[::-1][:3] and first["has_more"]
        assert all(job["status"] == "completed" and job["result"] is None for job in first["data"])
        rest = (await client.get(f"{PATH}?after={first['last_id']}")).json()
        assert [job["job_id"] for job in rest["data"]] == made[::-1][3:] and not rest["has_more"]


async def test_a_result_that_has_expired_is_told_as_none(tmp_path: Path) -> None:
    async with server(tmp_path, job_ttl_s=0.5) as client:
        job_id = await created(client, file(b"Text."))
        async with asyncio.timeout(LIMIT_S):
            while (job := await shown(client, job_id))["result"] is not None or job["status"] != "completed":
                await asyncio.sleep(0)
        assert job["error"] is None


@pytest.mark.parametrize(
    ("parts", "status", "words"),
    [
        ([file(b"x" * 2000)], 413, "1000 bytes"),
        ([file(b"x"), field("options", json.dumps({"pages": 1}))], 400, "page_range"),
        ([file(b"x"), field("chunking_strategy", '{"type": "none"}')], 400, "`auto` or `static`"),
        ([field("file_id", "file-none")], 404, "file-none"),
        ([], 400, "exactly one"),
    ],
)
async def test_what_would_fail_is_no_job(parts: Any, status: int, words: str, tmp_path: Path) -> None:
    async with server(tmp_path, max_file_size_bytes=1000) as client:
        answered = await client.post(PATH, headers=HEADERS, body=form(*parts))
        assert answered.status == status and words in answered.error["message"]
        assert (await client.get(PATH)).json()["data"] == []
    assert await left(tmp_path, "document") == []


@pytest.mark.parametrize(("method", "path"), [("GET", "job_none"), ("POST", "job_none/cancel")])
async def test_an_unknown_job_is_not_found(method: str, path: str, tmp_path: Path) -> None:
    async with server(tmp_path) as client:
        answered = await client.request(method, f"{PATH}/{path}")
        assert answered.status == 404 and "job_none" in answered.error["message"]


class _Left(MemoryKeyValueStore):
    """Whose writers leave when a value was written."""

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        await super().set(key, value, ttl_s=ttl_s)
        raise asyncio.CancelledError


async def test_nothing_is_left_of_a_document_whose_sender_left_while_a_part_was_written() -> None:
    async def document() -> AsyncIterator[bytes]:
        yield b"x"

    store = _Left()
    with pytest.raises(asyncio.CancelledError):
        await Parts(store, ttl_s=60).keep("document:1", document(), limit_bytes=10)
    assert await store.scan("") == []
