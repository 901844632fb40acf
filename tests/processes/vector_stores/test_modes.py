"""What a server keeps is for its owner alone, also where a library of a database makes the files."""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp
import pytest

from runtime.conformance.upstream import upstream_server
from tests.support.server_process import server_process
from tests.support.vector_stores import STORES, done, run_config, uploaded
from tests.support.word_models import Models

pytestmark = pytest.mark.e2e
KINDS = ("inline::chromadb", "inline::qdrant", "inline::faiss", "inline::sqlite-vec", "inline::duckdb")


async def test_nobody_else_can_read_what_a_server_keeps(tmp_path: Path) -> None:
    """The folders are closed too; a copy of them, or a folder that was opened, still keeps others out."""
    tmp_path.chmod(0o755)
    before = {*tmp_path.rglob("*")}
    async with upstream_server(make=Models) as models:
        run = run_config(models)
        run["providers"]["vector_io"] = [{"provider_id": kind[8:], "provider_type": kind} for kind in KINDS]
        old = os.umask(0o022)
        try:
            async with server_process(run, tmp_path) as server:
                await server.until("serving")
                await uploaded(server, 1)
                for kind in KINDS:
                    store = (await done(server, "POST", STORES, json={"provider_id": kind[8:]}))["id"]
                    chunk = {"content": "A llama grazes.", "metadata": {"document_id": "d"}}
                    body = {"vector_store_id": store, "chunks": [chunk]}
                    async with aiohttp.ClientSession(server.url, raise_for_status=True) as session:
                        await session.post("/v1/vector-io/insert", json=body)
                made = {*tmp_path.rglob("*")} - before
        finally:
            os.umask(old)
    state = [path for path in made if "state" in path.relative_to(tmp_path).parts]
    kept = [path.name for path in state if path.is_file()]
    assert any(name.endswith(".sqlite3") for name in kept) and len(kept) > len(KINDS)
    assert [str(path) for path in state if path.exists() and path.stat().st_mode & 0o077] == []
