"""A server that is killed in the middle of a batch of files: the next one ends it, each file whole and once."""

from __future__ import annotations

import asyncio
import io
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conformance.vector_stores.asking import MANY_TOKENS, STORES
from tests.conformance.vector_stores.models import Models, entries
from tests.support.server_process import ServerProcess, server_process
from tests.support.stacks import openai_at
from tests.support.upstream import EMBEDDING_MODEL, upstream_server

pytestmark = pytest.mark.e2e
FILES, ENOUGH = 50, 8
LIMIT_S = 150.0
"""A job of the server that was killed is taken when its lease has run out, after 30 s."""


def run_config(models: Models) -> dict[str, Any]:
    providers = {
        "inference": [openai_at(models.url)],
        "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        "file_processors": [{"provider_id": "auto", "provider_type": "inline::auto"}],
        "vector_io": [{"provider_id": "chromadb", "provider_type": "inline::chromadb"}],
    }
    chosen = {"default_embedding_model": EMBEDDING_MODEL}
    registered = {"models": [one for one in entries() if one["model_type"] == "embedding"]}
    head = {"version": 2, "distro_name": "stores", "vector_stores": chosen}
    return head | {"providers": providers, "registered_resources": registered}


@asynccontextmanager
async def running(models: Models, folder: Path) -> AsyncIterator[ServerProcess]:
    async with server_process(run_config(models), folder) as server:
        await server.until("serving")
        log = asyncio.create_task(server.ended())  # a pipe that nobody reads would stop it
        try:
            yield server
        finally:
            log.cancel()
            await asyncio.wait({log})


async def done(server: ServerProcess, method: str, path: str, **facts: Any) -> Any:
    status, answer = await server.ask(method, path, **facts)
    assert status == 200, answer
    return answer


async def uploaded(server: ServerProcess, number: int) -> str:
    text = "\n\n".join(f"Part {part} of text{number} is about llamas. " * 12 for part in range(4))
    data = aiohttp.FormData()
    data.add_field("purpose", "assistants")
    data.add_field("file", io.BytesIO(text.encode()), filename=f"{number}.txt")
    found: str = (await done(server, "POST", "/v1/files", data=data))["id"]
    return found


async def batch_of(server: ServerProcess, path: str, least: int) -> Any:
    """The batch, once so many of its files are done."""
    async with asyncio.timeout(LIMIT_S):
        while (found := await done(server, "GET", path))["file_counts"]["completed"] < least:
            await asyncio.sleep(0.05)
    return found


async def test_every_file_of_a_batch_is_there_once_after_a_kill(tmp_path: Path) -> None:
    async with upstream_server(make=Models) as models:
        async with running(models, tmp_path) as first:
            files = [await uploaded(first, number) for number in range(FILES)]
            store = (await done(first, "POST", STORES, json={}))["id"]
            asked = [
                {"file_id": file_id, "attributes": {"number": number}, "chunking_strategy": MANY_TOKENS}
                for number, file_id in enumerate(files)
            ]
            batches = f"{STORES}/{store}/file_batches"
            batch = f"{batches}/{(await done(first, 'POST', batches, json={'files': asked}))['id']}"
            await batch_of(first, batch, ENOUGH)
            async with models.holding(EMBEDDING_MODEL):
                await models.is_waiting.wait()
                before = await done(first, "GET", batch)
                first.signal(signal.SIGKILL)
                await first.process.wait()
        assert before["status"] == "in_progress" and ENOUGH <= before["file_counts"]["completed"] < FILES
        async with running(models, tmp_path) as second:
            ended = await batch_of(second, batch, FILES)
            assert ended["status"] == "completed"
            assert ended["file_counts"] == {
                "in_progress": 0, "completed": FILES, "failed": 0, "cancelled": 0, "total": FILES,
            }  # fmt: skip
            every = await found(second, store, {})
            total = 0
            for number, file_id in enumerate(files):
                content = (await done(second, "GET", f"{STORES}/{store}/files/{file_id}/content"))["data"]
                where = {"filters": {"type": "eq", "key": "number", "value": number}}
                chunks = await found(second, store, where)
                assert len(content) == len(chunks) == len(set(chunks)) >= 4
                total += len(chunks)
                hits = await found(second, store, {"mode": "keyword"}, query=f"text{number}")
                assert sorted(hits) == sorted(chunks)
            assert len(every) == len(set(every)) == total


async def found(server: ServerProcess, store: str, params: dict[str, Any], query: str = "llamas") -> list[str]:
    """The ids of all chunks that a query finds."""
    body = {"vector_store_id": store, "query": query, "params": {"max_chunks": 1000, **params}}
    return [one["chunk_id"] for one in (await done(server, "POST", "/v1/vector-io/query", json=body))["chunks"]]
