"""A server that is killed in the middle of a batch of files: the next one ends it, each file whole and once."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from runtime.conformance.upstream import EMBEDDING_MODEL, upstream_server
from tests.support.vector_stores import MANY_TOKENS, STORES, batch_of, done, found, running, uploaded
from tests.support.word_models import Models

pytestmark = pytest.mark.e2e
FILES, ENOUGH = 50, 8


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
